"""The live media path: input to engine to output, and the fallbacks that keep the output going when one of them fails."""
