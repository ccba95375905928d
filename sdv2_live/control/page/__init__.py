"""The page on which a performer sees and plays the show: its files, its lists, its pictures, and who may have it."""
