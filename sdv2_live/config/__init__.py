"""The configuration of a show: its schema, and its loading from files and options."""
