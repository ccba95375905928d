"""What every page of the HTTP port has in common: who may connect, which requests are refused, what is logged."""
