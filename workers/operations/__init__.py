"""The operations this system offers: one module per family, plain functions that can also run without a broker."""
