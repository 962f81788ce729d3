"""The web server: HTTP API, live WebSocket and the dashboard's pages. Imports of this project only ``tracker``."""
