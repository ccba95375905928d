"""The checkpoints: the files of each profile, their origins, download and verification."""
