"""An estimate of the frames a second that a card paints, made before anything is loaded; see `sdv2-live plan`."""
