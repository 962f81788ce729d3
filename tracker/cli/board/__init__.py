"""The view on a terminal that ``tracker watch`` opens: a list or an operation, moved in with keys.

``session`` is the loop, ``panes`` what is looked at, ``tree`` rows that open and close, ``frame`` how it is drawn.
"""
