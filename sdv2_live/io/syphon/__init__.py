"""Syphon: pictures shared between the programs of one Mac, by the package syphon-python. Untried here."""
