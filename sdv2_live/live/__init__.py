"""The live media path: input to engine to output, and what keeps the output going when one of them fails."""
