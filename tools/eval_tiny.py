"""Measure the embedded model: `python tools/eval_tiny.py [--json] CLIP...`; see train_tiny/evaluate.py."""

from train_tiny.evaluate import main

if __name__ == "__main__":
    main()
