"""The configuration of a show: its schema, and how it is read from files and options."""
