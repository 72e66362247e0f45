"""The commands: one module each, with `arguments(parser)` and `async run(options, arguments)`.

`options` are the ones that every command knows; `place` opens what a command works on; `lines`, `jsonl`
and `summary` are the headless readers of the engine's events; `prompts` asks at a plain terminal.
"""
