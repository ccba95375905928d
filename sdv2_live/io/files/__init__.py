"""Video files and still pictures, in and out, through PyAV."""
