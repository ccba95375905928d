# ruff: noqa: E501, F821
"""Builds a component that plays sdv2-live from TouchDesigner. Written by `sdv2-live osc --touchdesigner FILE`.

Paste it into a Text DAT and choose Run Script. Beside the DAT appears the component `sdv2live`:

    TOP in   -> NDI Out TOP, the picture that sdv2-live shall restyle
    TOP out  <- NDI In TOP, what it makes of it
    CHOP in  -> OSC Out CHOP; channels named as addresses, such as sdv2/noise_scale
    CHOP out <- OSC In CHOP; numbers of the show, such as sdv2/status/fps
    its parameters: every parameter of sdv2-live, which send when they change and follow the show

Running it again makes the component anew; the values of its Connection page are kept.
"""

import json
import socket

NAME = "sdv2live"
OSC_PORT = 9000
FEEDBACK_PORT = 9001

# One parameter of sdv2-live each: OSC address, custom parameter, and how it looks.
# fmt: off
TABLE = [
    {'address': '/sdv2/prompt', 'par': 'Prompt', 'label': 'Prompt', 'page': 'Prompts', 'style': 'Str', 'help': 'What the picture shall look like; long, detailed prompts do best. Slot 1 of the blend. OSC: /sdv2/prompt', 'empty': True, 'default': 'A hand-painted animation of a performer on a dark stage, thick confident brush strokes follow every movement, deep ultramarine and violet shadows, warm amber rim light along the hair and shoulders, drifting dust glitters in soft volumetric beams, rich oil texture with visible canvas grain, expressive face, fluid cloth, gentle depth of field, cinematic composition, highly detailed, steady camera, smooth continuous motion'},
    {'address': '/sdv2/prompt/2/text', 'par': 'Prompt2text', 'label': 'Prompt 2 Text', 'page': 'Prompts', 'style': 'Str', 'help': 'A further prompt to blend in. OSC: /sdv2/prompt/2/text', 'empty': True, 'default': ''},
    {'address': '/sdv2/prompt/3/text', 'par': 'Prompt3text', 'label': 'Prompt 3 Text', 'page': 'Prompts', 'style': 'Str', 'help': 'A further prompt to blend in. OSC: /sdv2/prompt/3/text', 'empty': True, 'default': ''},
    {'address': '/sdv2/prompt/4/text', 'par': 'Prompt4text', 'label': 'Prompt 4 Text', 'page': 'Prompts', 'style': 'Str', 'help': 'A further prompt to blend in. OSC: /sdv2/prompt/4/text', 'empty': True, 'default': ''},
    {'address': '/sdv2/prompt/5/text', 'par': 'Prompt5text', 'label': 'Prompt 5 Text', 'page': 'Prompts', 'style': 'Str', 'help': 'A further prompt to blend in. OSC: /sdv2/prompt/5/text', 'empty': True, 'default': ''},
    {'address': '/sdv2/prompt/6/text', 'par': 'Prompt6text', 'label': 'Prompt 6 Text', 'page': 'Prompts', 'style': 'Str', 'help': 'A further prompt to blend in. OSC: /sdv2/prompt/6/text', 'empty': True, 'default': ''},
    {'address': '/sdv2/prompt/7/text', 'par': 'Prompt7text', 'label': 'Prompt 7 Text', 'page': 'Prompts', 'style': 'Str', 'help': 'A further prompt to blend in. OSC: /sdv2/prompt/7/text', 'empty': True, 'default': ''},
    {'address': '/sdv2/prompt/8/text', 'par': 'Prompt8text', 'label': 'Prompt 8 Text', 'page': 'Prompts', 'style': 'Str', 'help': 'A further prompt to blend in. OSC: /sdv2/prompt/8/text', 'empty': True, 'default': ''},
    {'address': '/sdv2/prompt/1/weight', 'par': 'Prompt1weight', 'label': 'Prompt 1 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/1/weight", 'low': 0.0, 'high': 1.0, 'default': 1.0},
    {'address': '/sdv2/prompt/2/weight', 'par': 'Prompt2weight', 'label': 'Prompt 2 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/2/weight", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/prompt/3/weight', 'par': 'Prompt3weight', 'label': 'Prompt 3 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/3/weight", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/prompt/4/weight', 'par': 'Prompt4weight', 'label': 'Prompt 4 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/4/weight", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/prompt/5/weight', 'par': 'Prompt5weight', 'label': 'Prompt 5 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/5/weight", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/prompt/6/weight', 'par': 'Prompt6weight', 'label': 'Prompt 6 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/6/weight", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/prompt/7/weight', 'par': 'Prompt7weight', 'label': 'Prompt 7 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/7/weight", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/prompt/8/weight', 'par': 'Prompt8weight', 'label': 'Prompt 8 Weight', 'page': 'Prompts', 'style': 'Float', 'help': "Share of this slot's prompt in the blend, relative to the other weights. OSC: /sdv2/prompt/8/weight", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/interpolation', 'par': 'Interpolation', 'label': 'Interpolation', 'page': 'Prompts', 'style': 'Menu', 'help': 'How prompts blend: linear weights their embeddings, slerp turns from one to the next. OSC: /sdv2/interpolation', 'choices': ['linear', 'slerp'], 'default': 'linear'},
    {'address': '/sdv2/cue_prompt', 'par': 'Cueprompt', 'label': 'Cue Prompt', 'page': 'Prompts', 'style': 'Str', 'help': 'The next prompt, prepared out of sight until take. OSC: /sdv2/cue_prompt', 'empty': True, 'default': ''},
    {'address': '/sdv2/seed', 'par': 'Seed', 'label': 'Seed', 'page': 'Picture', 'style': 'Str', 'help': 'Seed of the noise; the same seed and input give the same output. Also takes the words random and lock. OSC: /sdv2/seed', 'default': '42'},
    {'address': '/sdv2/seed_mode', 'par': 'Seedmode', 'label': 'Seed Mode', 'page': 'Picture', 'style': 'Menu', 'help': 'lock: the seed stays; random: every reset draws a new one. OSC: /sdv2/seed_mode', 'choices': ['lock', 'random'], 'default': 'lock'},
    {'address': '/sdv2/noise_scale', 'par': 'Noisescale', 'label': 'Noise Scale', 'page': 'Picture', 'style': 'Float', 'help': 'Noise mixed into the input: more noise, more prompt, less input. OSC: /sdv2/noise_scale', 'low': 0.0, 'high': 1.0, 'default': 0.7},
    {'address': '/sdv2/noise_controller', 'par': 'Noisecontroller', 'label': 'Noise Controller', 'page': 'Picture', 'style': 'Toggle', 'help': 'Lower the noise while the input moves fast (motion-aware noise controller). OSC: /sdv2/noise_controller', 'default': True},
    {'address': '/sdv2/steps', 'par': 'Steps', 'label': 'Steps', 'page': 'Picture', 'style': 'Str', 'help': 'Denoising timesteps; fewer are faster, more are cleaner. OSC: /sdv2/steps', 'default': '700, 500'},
    {'address': '/sdv2/lora/1/scale', 'par': 'Lora1scale', 'label': 'Lora 1 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/1/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/lora/2/scale', 'par': 'Lora2scale', 'label': 'Lora 2 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/2/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/lora/3/scale', 'par': 'Lora3scale', 'label': 'Lora 3 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/3/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/lora/4/scale', 'par': 'Lora4scale', 'label': 'Lora 4 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/4/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/lora/5/scale', 'par': 'Lora5scale', 'label': 'Lora 5 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/5/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/lora/6/scale', 'par': 'Lora6scale', 'label': 'Lora 6 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/6/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/lora/7/scale', 'par': 'Lora7scale', 'label': 'Lora 7 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/7/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/lora/8/scale', 'par': 'Lora8scale', 'label': 'Lora 8 Scale', 'page': 'Lora', 'style': 'Float', 'help': 'Strength of this LoRA of model.loras, which gives the start value: 0 is none, 1 as trained. Also lora/<name>/scale. OSC: /sdv2/lora/8/scale', 'low': -4.0, 'high': 4.0, 'default': 1.0},
    {'address': '/sdv2/prompt_change', 'par': 'Promptchange', 'label': 'Prompt Change', 'page': 'Prompts', 'style': 'Menu', 'help': 'soft: a new prompt grows out of the running picture; cut: it starts from fresh caches; flush: of the past it keeps the first and the last two latents; recache: the past is made anew as if it had been there (soft with stream_batch). OSC: /sdv2/prompt_change', 'choices': ['soft', 'cut', 'flush', 'recache'], 'default': 'soft'},
    {'address': '/sdv2/transition_chunks', 'par': 'Transitionchunks', 'label': 'Transition Chunks', 'page': 'Prompts', 'style': 'Int', 'help': 'Chunks over which a new prompt fades in; 0 is at once. OSC: /sdv2/transition_chunks', 'low': 0, 'high': 64, 'default': 0},
    {'address': '/sdv2/freeze', 'par': 'Freeze', 'label': 'Freeze', 'page': 'Picture', 'style': 'Toggle', 'help': 'Hold the picture. OSC: /sdv2/freeze', 'default': False},
    {'address': '/sdv2/bypass', 'par': 'Bypass', 'label': 'Bypass', 'page': 'Picture', 'style': 'Toggle', 'help': 'Send the input through unchanged. OSC: /sdv2/bypass', 'default': False},
    {'address': '/sdv2/input_select', 'par': 'Inputselect', 'label': 'Input Select', 'page': 'System', 'style': 'Menu', 'help': 'auto: the main input, and when it fails what input.on_lost says; main or backup: that one, whatever happens. OSC: /sdv2/input_select', 'choices': ['auto', 'main', 'backup'], 'default': 'auto'},
    {'address': '/sdv2/blackout', 'par': 'Blackout', 'label': 'Blackout', 'page': 'Picture', 'style': 'Toggle', 'help': 'Send black. OSC: /sdv2/blackout', 'default': False},
    {'address': '/sdv2/mix', 'par': 'Mix', 'label': 'Mix', 'page': 'Picture', 'style': 'Float', 'help': 'Crossfade from the input (0) to the output (1). OSC: /sdv2/mix', 'low': 0.0, 'high': 1.0, 'default': 1.0},
    {'address': '/sdv2/detail', 'par': 'Detail', 'label': 'Detail', 'page': 'Picture', 'style': 'Float', 'help': "Edges and fine luminance of the input, carried into the painted picture at the output's size; 0 costs nothing. OSC: /sdv2/detail", 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/memory', 'par': 'Memory', 'label': 'Memory', 'page': 'Picture', 'style': 'Float', 'help': "Weight of the past in the model's attention: 1 as trained; lower follows the input and the prompt sooner. OSC: /sdv2/memory", 'low': 0.01, 'high': 1.0, 'default': 1.0},
    {'address': '/sdv2/preset', 'par': 'Preset', 'label': 'Preset', 'page': 'Presets', 'style': 'Str', 'help': 'Recall a preset: all its values in one chunk. OSC: /sdv2/preset', 'default': ''},
    {'address': '/sdv2/morph_seconds', 'par': 'Morphseconds', 'label': 'Morph Seconds', 'page': 'Presets', 'style': 'Float', 'help': "Time over which a recalled preset's numbers glide to their values. OSC: /sdv2/morph_seconds", 'low': 0.0, 'high': 600.0, 'default': 0.0},
    {'address': '/sdv2/record', 'par': 'Record', 'label': 'Record', 'page': 'System', 'style': 'Toggle', 'help': "Record a take, for `sdv2-live replay`. It begins with a reset, the prompt's transition complete; false again when the take cannot be written. OSC: /sdv2/record", 'default': False},
    {'address': '/sdv2/normalize_latents', 'par': 'Normalizelatents', 'label': 'Normalize Latents', 'page': 'System', 'style': 'Toggle', 'help': 'Normalise latents per channel after encoding; pair it with noise_scale 0.6. OSC: /sdv2/normalize_latents', 'default': False},
    {'address': '/sdv2/adapt_sink_threshold', 'par': 'Adaptsinkthreshold', 'label': 'Adapt Sink Threshold', 'page': 'System', 'style': 'Float', 'help': 'Similarity below which a new frame replaces a sink of the cache; -1 keeps the sinks for ever. OSC: /sdv2/adapt_sink_threshold', 'low': -1.0, 'high': 1.0, 'default': 0.2},
    {'address': '/sdv2/reset', 'par': 'Reset', 'label': 'Reset', 'page': 'Picture', 'style': 'Pulse', 'help': 'Start again from empty caches and the first noise of the seed. OSC: /sdv2/reset'},
    {'address': '/sdv2/take', 'par': 'Take', 'label': 'Take', 'page': 'Prompts', 'style': 'Pulse', 'help': 'Make cue_prompt the prompt. OSC: /sdv2/take'},
    {'address': '/sdv2/feedback', 'par': 'Feedback', 'label': 'Feedback', 'page': 'Feedback', 'style': 'Float', 'help': 'Share of the last painted picture, moved as below, in the input; in text mode the share of it that a new picture starts from. 0 costs nothing; the picture before goes with a reset or a cut. OSC: /sdv2/feedback', 'low': 0.0, 'high': 0.95, 'default': 0.0},
    {'address': '/sdv2/feedback/zoom', 'par': 'Feedbackzoom', 'label': 'Feedback Zoom', 'page': 'Feedback', 'style': 'Float', 'help': 'The fed picture grows by this factor a frame; below 1 it shrinks. OSC: /sdv2/feedback/zoom', 'low': 0.75, 'high': 1.5, 'default': 1.0},
    {'address': '/sdv2/feedback/rotate', 'par': 'Feedbackrotate', 'label': 'Feedback Rotate', 'page': 'Feedback', 'style': 'Float', 'help': 'The fed picture turns by so much a frame, above 0 clockwise. OSC: /sdv2/feedback/rotate', 'low': -10.0, 'high': 10.0, 'default': 0.0},
    {'address': '/sdv2/feedback/x', 'par': 'Feedbackx', 'label': 'Feedback X', 'page': 'Feedback', 'style': 'Float', 'help': 'The fed picture moves to the right by this share of its width a frame. OSC: /sdv2/feedback/x', 'low': -0.25, 'high': 0.25, 'default': 0.0},
    {'address': '/sdv2/feedback/y', 'par': 'Feedbacky', 'label': 'Feedback Y', 'page': 'Feedback', 'style': 'Float', 'help': 'The fed picture moves down by this share of its height a frame. OSC: /sdv2/feedback/y', 'low': -0.25, 'high': 0.25, 'default': 0.0},
    {'address': '/sdv2/feedback/hue', 'par': 'Feedbackhue', 'label': 'Feedback Hue', 'page': 'Feedback', 'style': 'Float', 'help': "The fed picture's colours turn by so much a frame. OSC: /sdv2/feedback/hue", 'low': -30.0, 'high': 30.0, 'default': 0.0},
    {'address': '/sdv2/feedback/border', 'par': 'Feedbackborder', 'label': 'Feedback Border', 'page': 'Feedback', 'style': 'Menu', 'help': "What lies beyond the fed picture's edges: black, its last pixels, its mirror image, or it again (wrap). OSC: /sdv2/feedback/border", 'choices': ['black', 'clamp', 'mirror', 'wrap'], 'default': 'mirror'},
    {'address': '/sdv2/input/brightness', 'par': 'Inputbrightness', 'label': 'Input Brightness', 'page': 'Input', 'style': 'Float', 'help': 'Added to the input before it is painted: 1 makes all of it white. OSC: /sdv2/input/brightness', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/input/contrast', 'par': 'Inputcontrast', 'label': 'Input Contrast', 'page': 'Input', 'style': 'Float', 'help': 'Contrast of the input, about middle grey. OSC: /sdv2/input/contrast', 'low': 0.0, 'high': 2.0, 'default': 1.0},
    {'address': '/sdv2/input/saturation', 'par': 'Inputsaturation', 'label': 'Input Saturation', 'page': 'Input', 'style': 'Float', 'help': "Strength of the input's colours: 0 is grey. OSC: /sdv2/input/saturation", 'low': 0.0, 'high': 2.0, 'default': 1.0},
    {'address': '/sdv2/input/hue', 'par': 'Inputhue', 'label': 'Input Hue', 'page': 'Input', 'style': 'Float', 'help': "Turns the input's colours. OSC: /sdv2/input/hue", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/input/mirror', 'par': 'Inputmirror', 'label': 'Input Mirror', 'page': 'Input', 'style': 'Toggle', 'help': 'Swap left and right of the input. OSC: /sdv2/input/mirror', 'default': False},
    {'address': '/sdv2/input/flip', 'par': 'Inputflip', 'label': 'Input Flip', 'page': 'Input', 'style': 'Toggle', 'help': 'Turn the input upside down. OSC: /sdv2/input/flip', 'default': False},
    {'address': '/sdv2/output/brightness', 'par': 'Outputbrightness', 'label': 'Output Brightness', 'page': 'Output', 'style': 'Float', 'help': 'Added to the painted picture: 1 makes all of it white. OSC: /sdv2/output/brightness', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/output/contrast', 'par': 'Outputcontrast', 'label': 'Output Contrast', 'page': 'Output', 'style': 'Float', 'help': "The painted picture's contrast, about middle grey. OSC: /sdv2/output/contrast", 'low': 0.0, 'high': 2.0, 'default': 1.0},
    {'address': '/sdv2/output/saturation', 'par': 'Outputsaturation', 'label': 'Output Saturation', 'page': 'Output', 'style': 'Float', 'help': "Strength of the painted picture's colours: 0 is grey. OSC: /sdv2/output/saturation", 'low': 0.0, 'high': 2.0, 'default': 1.0},
    {'address': '/sdv2/output/hue', 'par': 'Outputhue', 'label': 'Output Hue', 'page': 'Output', 'style': 'Float', 'help': "Turns the painted picture's colours. OSC: /sdv2/output/hue", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/output/mirror', 'par': 'Outputmirror', 'label': 'Output Mirror', 'page': 'Output', 'style': 'Toggle', 'help': 'Swap left and right of the painted picture. OSC: /sdv2/output/mirror', 'default': False},
    {'address': '/sdv2/output/flip', 'par': 'Outputflip', 'label': 'Output Flip', 'page': 'Output', 'style': 'Toggle', 'help': 'Turn the painted picture upside down. OSC: /sdv2/output/flip', 'default': False},
    {'address': '/sdv2/output/lut', 'par': 'Outputlut', 'label': 'Output Lut', 'page': 'Output', 'style': 'Str', 'help': 'Colours of the painted picture by a look-up table: the name of a .cube file in output.luts, without .cube; nothing for none. OSC: /sdv2/output/lut', 'empty': True, 'default': ''},
    {'address': '/sdv2/tempo/bpm', 'par': 'Tempobpm', 'label': 'Tempo Bpm', 'page': 'Tempo', 'style': 'Float', 'help': 'The tempo. It follows the source; a value of yours makes the source internal, unless the source may be led. OSC: /sdv2/tempo/bpm', 'low': 20.0, 'high': 999.0, 'default': 120.0},
    {'address': '/sdv2/tempo/source', 'par': 'Temposource', 'label': 'Tempo Source', 'page': 'Tempo', 'style': 'Menu', 'help': 'Who leads the tempo: you, Ableton Link, a MIDI clock, the sound, or another program by tempo/clock. OSC: /sdv2/tempo/source', 'choices': ['internal', 'link', 'midi', 'audio', 'osc'], 'default': 'internal'},
    {'address': '/sdv2/tempo/push', 'par': 'Tempopush', 'label': 'Tempo Push', 'page': 'Tempo', 'style': 'Toggle', 'help': 'While it is 1, the beat runs 3 % faster. OSC: /sdv2/tempo/push', 'default': False},
    {'address': '/sdv2/tempo/pull', 'par': 'Tempopull', 'label': 'Tempo Pull', 'page': 'Tempo', 'style': 'Toggle', 'help': 'While it is 1, the beat runs 3 % slower. OSC: /sdv2/tempo/pull', 'default': False},
    {'address': '/sdv2/tempo/nudge', 'par': 'Temponudge', 'label': 'Tempo Nudge', 'page': 'Tempo', 'style': 'Float', 'help': 'Shift the beat once by so much; above 0 it comes earlier. The value goes back to 0. OSC: /sdv2/tempo/nudge', 'low': -500.0, 'high': 500.0, 'default': 0.0},
    {'address': '/sdv2/tempo/offset_ms', 'par': 'Tempooffsetms', 'label': 'Tempo Offset Ms', 'page': 'Tempo', 'style': 'Float', 'help': 'For the delay of projector, loudspeakers and cables: above 0 shows earlier. OSC: /sdv2/tempo/offset_ms', 'low': -500.0, 'high': 500.0, 'default': 0.0},
    {'address': '/sdv2/tempo/beats_per_bar', 'par': 'Tempobeatsperbar', 'label': 'Tempo Beats Per Bar', 'page': 'Tempo', 'style': 'Int', 'help': 'Beats of a bar. OSC: /sdv2/tempo/beats_per_bar', 'low': 1, 'high': 16, 'default': 4},
    {'address': '/sdv2/tempo/follow', 'par': 'Tempofollow', 'label': 'Tempo Follow', 'page': 'Tempo', 'style': 'Menu', 'help': 'room: the music comes straight from the loudspeakers, and the picture is on the beat there; sound: people hear the sound that this program passes on, and the picture is on the beat of that. OSC: /sdv2/tempo/follow', 'choices': ['room', 'sound'], 'default': 'room'},
    {'address': '/sdv2/tempo/quantise', 'par': 'Tempoquantise', 'label': 'Tempo Quantise', 'page': 'Tempo', 'style': 'Menu', 'help': 'What waits for the next beat, bar or several bars when a hand changes it: presets, prompts, steps, seed, switches, choices, reset and take. Faders go at once. OSC: /sdv2/tempo/quantise', 'choices': ['none', 'beat', 'bar', '2bars', '4bars', '8bars'], 'default': 'none'},
    {'address': '/sdv2/tempo/morph_beats', 'par': 'Tempomorphbeats', 'label': 'Tempo Morph Beats', 'page': 'Tempo', 'style': 'Float', 'help': "Time over which a recalled preset's numbers glide, and a new prompt fades in, in beats; 0: as morph_seconds and transition_chunks say. OSC: /sdv2/tempo/morph_beats", 'low': 0.0, 'high': 256.0, 'default': 0.0},
    {'address': '/sdv2/tempo/tap', 'par': 'Tempotap', 'label': 'Tempo Tap', 'page': 'Tempo', 'style': 'Pulse', 'help': 'Tap the beat: the tempo from the second tap on, the place of the beat from the first. OSC: /sdv2/tempo/tap'},
    {'address': '/sdv2/tempo/resync', 'par': 'Temporesync', 'label': 'Tempo Resync', 'page': 'Tempo', 'style': 'Pulse', 'help': 'This is beat 1 of bar 1. OSC: /sdv2/tempo/resync'},
    {'address': '/sdv2/tempo/multiply', 'par': 'Tempomultiply', 'label': 'Tempo Multiply', 'page': 'Tempo', 'style': 'Pulse', 'help': 'Twice the tempo. OSC: /sdv2/tempo/multiply'},
    {'address': '/sdv2/tempo/divide', 'par': 'Tempodivide', 'label': 'Tempo Divide', 'page': 'Tempo', 'style': 'Pulse', 'help': 'Half the tempo. OSC: /sdv2/tempo/divide'},
    {'address': '/sdv2/tempo/go', 'par': 'Tempogo', 'label': 'Tempo Go', 'page': 'Tempo', 'style': 'Pulse', 'help': 'Launch what waits for the beat now. OSC: /sdv2/tempo/go'},
    {'address': '/sdv2/tempo/cancel', 'par': 'Tempocancel', 'label': 'Tempo Cancel', 'page': 'Tempo', 'style': 'Pulse', 'help': 'Let nothing wait for the beat any more: it is never launched. OSC: /sdv2/tempo/cancel'},
    {'address': '/sdv2/mod/1/on', 'par': 'Mod1on', 'label': 'Mod 1 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/1/on', 'default': False},
    {'address': '/sdv2/mod/2/on', 'par': 'Mod2on', 'label': 'Mod 2 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/2/on', 'default': False},
    {'address': '/sdv2/mod/3/on', 'par': 'Mod3on', 'label': 'Mod 3 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/3/on', 'default': False},
    {'address': '/sdv2/mod/4/on', 'par': 'Mod4on', 'label': 'Mod 4 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/4/on', 'default': False},
    {'address': '/sdv2/mod/5/on', 'par': 'Mod5on', 'label': 'Mod 5 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/5/on', 'default': False},
    {'address': '/sdv2/mod/6/on', 'par': 'Mod6on', 'label': 'Mod 6 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/6/on', 'default': False},
    {'address': '/sdv2/mod/7/on', 'par': 'Mod7on', 'label': 'Mod 7 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/7/on', 'default': False},
    {'address': '/sdv2/mod/8/on', 'par': 'Mod8on', 'label': 'Mod 8 On', 'page': 'Mod', 'style': 'Toggle', 'help': 'Move the target. OSC: /sdv2/mod/8/on', 'default': False},
    {'address': '/sdv2/mod/1/target', 'par': 'Mod1target', 'label': 'Mod 1 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/1/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/2/target', 'par': 'Mod2target', 'label': 'Mod 2 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/2/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/3/target', 'par': 'Mod3target', 'label': 'Mod 3 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/3/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/4/target', 'par': 'Mod4target', 'label': 'Mod 4 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/4/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/5/target', 'par': 'Mod5target', 'label': 'Mod 5 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/5/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/6/target', 'par': 'Mod6target', 'label': 'Mod 6 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/6/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/7/target', 'par': 'Mod7target', 'label': 'Mod 7 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/7/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/8/target', 'par': 'Mod8target', 'label': 'Mod 8 Target', 'page': 'Mod', 'style': 'Menu', 'help': 'The parameter that moves. Of steps all but the first move, together. OSC: /sdv2/mod/8/target', 'choices': ['noise_scale', 'mix', 'detail', 'steps', 'prompt/1/weight', 'prompt/2/weight', 'prompt/3/weight', 'prompt/4/weight', 'prompt/5/weight', 'prompt/6/weight', 'prompt/7/weight', 'prompt/8/weight', 'lora/1/scale', 'lora/2/scale', 'lora/3/scale', 'lora/4/scale', 'lora/5/scale', 'lora/6/scale', 'lora/7/scale', 'lora/8/scale', 'feedback', 'feedback/zoom', 'feedback/rotate', 'feedback/x', 'feedback/y', 'feedback/hue', 'input/brightness', 'input/contrast', 'input/saturation', 'input/hue', 'output/brightness', 'output/contrast', 'output/saturation', 'output/hue', 'memory'], 'default': 'noise_scale'},
    {'address': '/sdv2/mod/1/source', 'par': 'Mod1source', 'label': 'Mod 1 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/1/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/2/source', 'par': 'Mod2source', 'label': 'Mod 2 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/2/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/3/source', 'par': 'Mod3source', 'label': 'Mod 3 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/3/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/4/source', 'par': 'Mod4source', 'label': 'Mod 4 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/4/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/5/source', 'par': 'Mod5source', 'label': 'Mod 5 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/5/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/6/source', 'par': 'Mod6source', 'label': 'Mod 6 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/6/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/7/source', 'par': 'Mod7source', 'label': 'Mod 7 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/7/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/8/source', 'par': 'Mod8source', 'label': 'Mod 8 Source', 'page': 'Mod', 'style': 'Menu', 'help': 'What moves it: a wave (lfo), the loudness of the sound (env), its low, mid or high band, each onset or kick in it, or each beat of the tempo. OSC: /sdv2/mod/8/source', 'choices': ['lfo', 'env', 'low', 'mid', 'high', 'onset', 'kick', 'beat'], 'default': 'lfo'},
    {'address': '/sdv2/mod/1/shape', 'par': 'Mod1shape', 'label': 'Mod 1 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/1/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/2/shape', 'par': 'Mod2shape', 'label': 'Mod 2 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/2/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/3/shape', 'par': 'Mod3shape', 'label': 'Mod 3 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/3/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/4/shape', 'par': 'Mod4shape', 'label': 'Mod 4 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/4/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/5/shape', 'par': 'Mod5shape', 'label': 'Mod 5 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/5/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/6/shape', 'par': 'Mod6shape', 'label': 'Mod 6 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/6/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/7/shape', 'par': 'Mod7shape', 'label': 'Mod 7 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/7/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/8/shape', 'par': 'Mod8shape', 'label': 'Mod 8 Shape', 'page': 'Mod', 'style': 'Menu', 'help': 'The wave of lfo; exp_decay is a hit that fades, random holds a value, drawn by the seed, for a cycle. OSC: /sdv2/mod/8/shape', 'choices': ['sine', 'cosine', 'triangle', 'saw', 'square', 'exp_decay', 'random'], 'default': 'sine'},
    {'address': '/sdv2/mod/1/rate', 'par': 'Mod1rate', 'label': 'Mod 1 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/1/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/2/rate', 'par': 'Mod2rate', 'label': 'Mod 2 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/2/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/3/rate', 'par': 'Mod3rate', 'label': 'Mod 3 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/3/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/4/rate', 'par': 'Mod4rate', 'label': 'Mod 4 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/4/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/5/rate', 'par': 'Mod5rate', 'label': 'Mod 5 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/5/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/6/rate', 'par': 'Mod6rate', 'label': 'Mod 6 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/6/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/7/rate', 'par': 'Mod7rate', 'label': 'Mod 7 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/7/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/8/rate', 'par': 'Mod8rate', 'label': 'Mod 8 Rate', 'page': 'Mod', 'style': 'Menu', 'help': "The length of the wave in the tempo's beats and bars; hz: as mod/N/hz says. OSC: /sdv2/mod/8/rate", 'choices': ['1/4beat', '1/2beat', 'beat', '2beats', 'bar', '2bars', '4bars', '8bars', 'hz'], 'default': 'bar'},
    {'address': '/sdv2/mod/1/hz', 'par': 'Mod1hz', 'label': 'Mod 1 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/1/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/2/hz', 'par': 'Mod2hz', 'label': 'Mod 2 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/2/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/3/hz', 'par': 'Mod3hz', 'label': 'Mod 3 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/3/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/4/hz', 'par': 'Mod4hz', 'label': 'Mod 4 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/4/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/5/hz', 'par': 'Mod5hz', 'label': 'Mod 5 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/5/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/6/hz', 'par': 'Mod6hz', 'label': 'Mod 6 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/6/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/7/hz', 'par': 'Mod7hz', 'label': 'Mod 7 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/7/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/8/hz', 'par': 'Mod8hz', 'label': 'Mod 8 Hz', 'page': 'Mod', 'style': 'Float', 'help': 'Waves a second, for the rate hz. OSC: /sdv2/mod/8/hz', 'low': 0.0, 'high': 15.0, 'default': 0.25},
    {'address': '/sdv2/mod/1/phase', 'par': 'Mod1phase', 'label': 'Mod 1 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/1/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/2/phase', 'par': 'Mod2phase', 'label': 'Mod 2 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/2/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/3/phase', 'par': 'Mod3phase', 'label': 'Mod 3 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/3/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/4/phase', 'par': 'Mod4phase', 'label': 'Mod 4 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/4/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/5/phase', 'par': 'Mod5phase', 'label': 'Mod 5 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/5/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/6/phase', 'par': 'Mod6phase', 'label': 'Mod 6 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/6/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/7/phase', 'par': 'Mod7phase', 'label': 'Mod 7 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/7/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/8/phase', 'par': 'Mod8phase', 'label': 'Mod 8 Phase', 'page': 'Mod', 'style': 'Float', 'help': 'Where in its cycle the wave is on the beat: 0.25 is a quarter of a cycle ahead. OSC: /sdv2/mod/8/phase', 'low': 0.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/1/depth', 'par': 'Mod1depth', 'label': 'Mod 1 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/1/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/2/depth', 'par': 'Mod2depth', 'label': 'Mod 2 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/2/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/3/depth', 'par': 'Mod3depth', 'label': 'Mod 3 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/3/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/4/depth', 'par': 'Mod4depth', 'label': 'Mod 4 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/4/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/5/depth', 'par': 'Mod5depth', 'label': 'Mod 5 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/5/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/6/depth', 'par': 'Mod6depth', 'label': 'Mod 6 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/6/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/7/depth', 'par': 'Mod7depth', 'label': 'Mod 7 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/7/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/8/depth', 'par': 'Mod8depth', 'label': 'Mod 8 Depth', 'page': 'Mod', 'style': 'Float', 'help': 'How far it moves, as a share of max - min; below 0 the other way round. OSC: /sdv2/mod/8/depth', 'low': -1.0, 'high': 1.0, 'default': 0.0},
    {'address': '/sdv2/mod/1/min', 'par': 'Mod1min', 'label': 'Mod 1 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/1/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/2/min', 'par': 'Mod2min', 'label': 'Mod 2 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/2/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/3/min', 'par': 'Mod3min', 'label': 'Mod 3 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/3/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/4/min', 'par': 'Mod4min', 'label': 'Mod 4 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/4/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/5/min', 'par': 'Mod5min', 'label': 'Mod 5 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/5/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/6/min', 'par': 'Mod6min', 'label': 'Mod 6 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/6/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/7/min', 'par': 'Mod7min', 'label': 'Mod 7 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/7/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/8/min', 'par': 'Mod8min', 'label': 'Mod 8 Min', 'page': 'Mod', 'style': 'Float', 'help': "With max the swing of a depth of 1, in the target's own unit (of steps: thousands). With the fader at min and the depth at 1 the target moves from min to max. OSC: /sdv2/mod/8/min", 'low': -180.0, 'high': 180.0, 'default': 0.0},
    {'address': '/sdv2/mod/1/max', 'par': 'Mod1max', 'label': 'Mod 1 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/1/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/2/max', 'par': 'Mod2max', 'label': 'Mod 2 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/2/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/3/max', 'par': 'Mod3max', 'label': 'Mod 3 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/3/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/4/max', 'par': 'Mod4max', 'label': 'Mod 4 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/4/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/5/max', 'par': 'Mod5max', 'label': 'Mod 5 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/5/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/6/max', 'par': 'Mod6max', 'label': 'Mod 6 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/6/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/7/max', 'par': 'Mod7max', 'label': 'Mod 7 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/7/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/8/max', 'par': 'Mod8max', 'label': 'Mod 8 Max', 'page': 'Mod', 'style': 'Float', 'help': 'See min. OSC: /sdv2/mod/8/max', 'low': -180.0, 'high': 180.0, 'default': 1.0},
    {'address': '/sdv2/mod/1/polarity', 'par': 'Mod1polarity', 'label': 'Mod 1 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/1/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/2/polarity', 'par': 'Mod2polarity', 'label': 'Mod 2 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/2/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/3/polarity', 'par': 'Mod3polarity', 'label': 'Mod 3 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/3/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/4/polarity', 'par': 'Mod4polarity', 'label': 'Mod 4 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/4/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/5/polarity', 'par': 'Mod5polarity', 'label': 'Mod 5 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/5/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/6/polarity', 'par': 'Mod6polarity', 'label': 'Mod 6 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/6/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/7/polarity', 'par': 'Mod7polarity', 'label': 'Mod 7 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/7/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/8/polarity', 'par': 'Mod8polarity', 'label': 'Mod 8 Polarity', 'page': 'Mod', 'style': 'Menu', 'help': 'up: from where the fader stands to one side; both: to both sides of it. OSC: /sdv2/mod/8/polarity', 'choices': ['up', 'both'], 'default': 'up'},
    {'address': '/sdv2/mod/1/smooth_ms', 'par': 'Mod1smoothms', 'label': 'Mod 1 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/1/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/mod/2/smooth_ms', 'par': 'Mod2smoothms', 'label': 'Mod 2 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/2/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/mod/3/smooth_ms', 'par': 'Mod3smoothms', 'label': 'Mod 3 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/3/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/mod/4/smooth_ms', 'par': 'Mod4smoothms', 'label': 'Mod 4 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/4/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/mod/5/smooth_ms', 'par': 'Mod5smoothms', 'label': 'Mod 5 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/5/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/mod/6/smooth_ms', 'par': 'Mod6smoothms', 'label': 'Mod 6 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/6/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/mod/7/smooth_ms', 'par': 'Mod7smoothms', 'label': 'Mod 7 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/7/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/mod/8/smooth_ms', 'par': 'Mod8smoothms', 'label': 'Mod 8 Smooth Ms', 'page': 'Mod', 'style': 'Float', 'help': 'Time over which a jump is smoothed. A hit (onset, kick, beat, exp_decay, square) comes at once and falls so slowly. OSC: /sdv2/mod/8/smooth_ms', 'low': 0.0, 'high': 5000.0, 'default': 0.0},
    {'address': '/sdv2/audio/auto_gain', 'par': 'Audioautogain', 'label': 'Audio Auto Gain', 'page': 'Tempo', 'style': 'Toggle', 'help': '1: levels are measured by the loudest of the last seconds, so that soft music moves as much as loud; 0: by loud music at full scale. OSC: /sdv2/audio/auto_gain', 'default': True},
    {'address': '/sdv2/audio/gain', 'par': 'Audiogain', 'label': 'Audio Gain', 'page': 'Tempo', 'style': 'Float', 'help': 'Levels are raised by so much, after auto gain. OSC: /sdv2/audio/gain', 'low': -40.0, 'high': 40.0, 'default': 0.0},
]
# fmt: on

LOGIC = '''"""What the component does. Its callbacks are in the DATs beside this one."""

import json

ROWS = json.loads(op("table").text)
BY_PAR = {row["par"]: row for row in ROWS}
BY_ADDRESS = {row["address"]: row for row in ROWS}
KNOWN = {}  # parameter name to the value that sdv2-live is known to hold: that one is not sent back to it
HEARD = []  # filled by subscribing; until then the panel holds defaults, which are not to be sent to a running show


def subscribe():
    """Have sdv2-live send all values now, and every change from now on."""
    KNOWN.clear()
    HEARD[:] = [True]
    port = int(parent().par.Feedbackport.eval())
    op("osc_out").sendOSC("/sdv2/subscribe", [port])
    op("osc_out").sendOSC("/sdv2/subscribe", [port + 1])


def changed(par):
    """A parameter of the panel has a new value: by hand, by an expression, or by what came from the show."""
    row = BY_PAR.get(par.name)
    if row is None or row["style"] == "Pulse" or not HEARD:
        return
    value = outgoing(row, par.eval())
    if value is None or same(KNOWN.get(par.name), value):
        return
    KNOWN[par.name] = value
    op("osc_out").sendOSC(row["address"], [value])


def pulsed(par):
    """A button of the panel was pressed."""
    if par.name == "Subscribe":
        subscribe()
    elif par.name in BY_PAR:
        op("osc_out").sendOSC(BY_PAR[par.name]["address"], [1])


def received(address, args):
    """sdv2-live has sent a value, or says why it refused one."""
    if address == "/sdv2/error":
        parent().par.Lasterror.val = " ".join(str(arg) for arg in args)
        return
    row = BY_ADDRESS.get(address)
    if row is None or row["style"] == "Pulse" or not args:
        return
    value = incoming(row, args)
    KNOWN[row["par"]] = value
    par = parent().par[row["par"]]
    if not same(outgoing(row, par.eval()), value):
        par.val = value


def outgoing(row, value):
    """A parameter's value as it is sent; None for an empty field that means nothing."""
    kinds = {"Float": float, "Int": int, "Toggle": int}
    value = kinds.get(row["style"], str)(value)
    return None if value == "" and not row.get("empty") else value


def incoming(row, args):
    """The arguments of a message as the parameter holds them."""
    if row["style"] == "Str":
        return ", ".join(str(arg) for arg in args)
    return outgoing(row, args[0])


def same(one, other):
    """Whether two values are one, as far as an OSC float can tell."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 1e-6 * max(1.0, abs(one))
    return one is not None and one == other
'''

PANEL_CALLBACKS = """def onValueChange(par, prev):
    op("logic").module.changed(par)


def onPulse(par):
    op("logic").module.pulsed(par)
"""

OSC_CALLBACKS = """def onReceiveOSC(dat, rowIndex, message, byteData, timeStamp, address, args, peer):
    op("logic").module.received(address, args)
"""

START_CALLBACKS = """def onStart():
    op("logic").module.subscribe()
"""


def build(where):
    """Make the component in `where` and return it."""
    connection = {}
    old = where.op(NAME)
    if old is not None:
        connection = {par.name: par.eval() for par in old.customPars if par.page.name == "Connection" and not par.isPulse}
        old.destroy()
    comp = where.create(baseCOMP, NAME)
    build_panel(comp)
    build_connection(comp, connection)
    build_scripts(comp)
    build_video(comp)
    build_osc(comp)
    run("args[0].op('logic').module.subscribe()", comp, delayFrames=60)  # when the sockets are open
    return comp


def build_panel(comp):
    """A custom parameter for each row of the table."""
    pages = {}
    for row in TABLE:
        if row["page"] not in pages:
            pages[row["page"]] = comp.appendCustomPage(row["page"])
        append = getattr(pages[row["page"]], "append" + row["style"])
        par = append(row["par"], label=row["label"])[0]
        par.help = row["help"]
        if row["style"] == "Menu":
            par.menuNames = row["choices"]
            par.menuLabels = row["choices"]
        if row["style"] in ("Float", "Int"):
            par.min = par.normMin = row["low"]
            par.max = par.normMax = row["high"]
            par.clampMin = par.clampMax = True
        if row["style"] != "Pulse":
            par.default = row["default"]
            par.val = row["default"]


def build_connection(comp, kept):
    """Where sdv2-live is, and under which names the pictures go there and back."""
    page = comp.appendCustomPage("Connection")
    fields = (
        ("Str", "Host", "Host of sdv2-live", "127.0.0.1"),
        ("Int", "Port", "Its OSC Port", OSC_PORT),
        ("Int", "Feedbackport", "Feedback Port, and the next", FEEDBACK_PORT),
        ("Str", "Sourcename", "NDI Name to Send", "TouchDesigner"),
        ("Str", "Resultname", "NDI Name to Receive", socket.gethostname().upper() + " (sdv2-live)"),
        ("Toggle", "Sendchop", "Send CHOP Input", False),
    )
    for style, name, label, value in fields:
        par = getattr(page, "append" + style)(name, label=label)[0]
        if style == "Int":
            par.min, par.max, par.clampMin, par.clampMax = 1, 65535, True, True
            par.normMin, par.normMax = 1, 65535
        par.default = value
        par.val = kept.get(name, value)
    page.appendPulse("Subscribe", label="Subscribe")
    error = page.appendStr("Lasterror", label="Last Error")[0]
    error.readOnly = True


def build_scripts(comp):
    """The table, what is done with it, and who calls that."""
    text(comp, "table", json.dumps(TABLE), -200, 0)
    text(comp, "logic", LOGIC, -200, -120)
    text(comp, "osc_callbacks", OSC_CALLBACKS, -200, -240)
    panel = place(comp.create(parameterexecuteDAT, "panel_changes"), 0, 0)
    panel.text = PANEL_CALLBACKS
    panel.par.op.expr = "parent()"
    panel.par.pars = "*"
    panel.par.custom = True
    panel.par.builtin = False
    panel.par.valuechange = True
    panel.par.onpulse = True
    panel.par.active = True
    start = place(comp.create(executeDAT, "project_start"), 0, -120)
    start.text = START_CALLBACKS
    start.par.start = True
    start.par.active = True


def build_video(comp):
    """The picture to sdv2-live and back."""
    source = place(comp.create(inTOP, "in1"), 200, 0)
    sent = place(comp.create(ndioutTOP, "ndi_out"), 400, 0)
    source.outputConnectors[0].connect(sent)
    sent.par.name.expr = "parent().par.Sourcename"
    sent.par.active = True
    result = place(comp.create(ndiinTOP, "ndi_in"), 200, -120)
    result.par.name.expr = "parent().par.Resultname"
    result.par.active = True
    painted = place(comp.create(outTOP, "out1"), 400, -120)
    result.outputConnectors[0].connect(painted)


def build_osc(comp):
    """Messages to sdv2-live and back: values of the panel by DAT, channels by CHOP."""
    sent = place(comp.create(oscoutDAT, "osc_out"), 0, -240)
    sent.par.address.expr = "parent().par.Host"
    sent.par.port.expr = "parent().par.Port"
    sent.par.active = True
    heard = place(comp.create(oscinDAT, "osc_in"), 0, -360)
    heard.par.callbacks = "osc_callbacks"
    heard.par.port.expr = "parent().par.Feedbackport"
    heard.par.active = True
    channels = place(comp.create(inCHOP, "in2"), 200, -240)
    channels_sent = place(comp.create(oscoutCHOP, "osc_out_chop"), 400, -240)
    channels.outputConnectors[0].connect(channels_sent)
    channels_sent.par.netaddress.expr = "parent().par.Host"
    channels_sent.par.port.expr = "parent().par.Port"
    channels_sent.par.active.expr = "parent().par.Sendchop"
    numbers = place(comp.create(oscinCHOP, "osc_in_chop"), 200, -360)
    numbers.par.port.expr = "parent().par.Feedbackport + 1"
    numbers.par.active = True
    out = place(comp.create(outCHOP, "out2"), 400, -360)
    numbers.outputConnectors[0].connect(out)


def text(comp, name, content, x, y):
    """A Text DAT with this content."""
    dat = place(comp.create(textDAT, name), x, y)
    dat.text = content
    return dat


def place(node, x, y):
    """Put a node at a place in the network editor."""
    node.nodeX, node.nodeY = x, y
    return node


build(parent())
