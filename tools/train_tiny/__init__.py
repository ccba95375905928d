"""The embedded model: its training, and its evaluation on clips that it was not trained on."""
