"""Weight files: mapped into memory, read strictly, and assigned to modules tensor by tensor."""
