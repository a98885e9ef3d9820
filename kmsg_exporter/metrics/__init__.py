"""Totals, the bound on series, the exposition, the web server."""
