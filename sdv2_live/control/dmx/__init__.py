"""The way in of light desks: sockets for Art-Net and sACN."""
