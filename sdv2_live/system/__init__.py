"""What systems do differently, one subject a module; nothing else of sdv2-live asks which system it runs on for these."""
