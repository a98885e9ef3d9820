"""The small central collector: receive, store, show."""
