"""Sections about engines and about libraries beside our own steps. Each is made of one file of ``docs/data``."""

from __future__ import annotations

from typing import Any

from scripts.benchmarks.words import of_another_program, wilson

TITLE = ["", "## Engines and libraries", "",
         "Made by `make bench-engines`: single runs on one machine. Processor time is that of the processes measured; on a machine"
         " with other work it comes out somewhat higher than on an idle one, and wall time much."]  # fmt: skip
IDLE = 1.0
BUSY = "The machine did other work (load average {:.1f} before the runs), so only the processor time tells the engines apart. "


def engines(row: dict[str, Any]) -> list[str]:
    """DuckDB and Spark on one log."""
    duck, spark = row["rows"]
    out = [
        "", f"### DuckDB and Spark on one machine, {duck['exchanges'] / 1e6:.1f} million exchanges", "", row["machine"],
        *of_another_program(row.get("code"), "bench-engines" + ("-large" if row["scale"] > 1 else "")), "",
        f"{duck['exchanges']:,} exchanges of {duck['accounts']:,} accounts in {row['files']} files ({row['scenario']},"
        f" seed {row['seed']}, scale {row['scale']:g}); Spark with master `{row['master']}`; memory limit"
        f" {row['memory_limit']} for either.", "",
        "| engine | wall s | CPU s, all processes | exchanges a CPU second | peak memory, all processes |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for each, name in ((duck, "DuckDB"), (spark, "Spark")):
        out.append(
            f"| {name} | {each['wall_s']:.1f} | {each['cpu_s']:.1f} | {each['exchanges'] / each['cpu_s']:,.0f}"
            f" | {each['peak_bytes'] / 2**30:.1f} GiB |"
        )
    same = "Both wrote the same files, timings apart." if not row["differ"] else f"**Different: {', '.join(row['differ'])}.**"  # fmt: skip
    busy = BUSY.format(row["load_before"]) if row["load_before"] > IDLE else ""
    return [
        *out, "", f"{same} Spark takes {spark['cpu_s'] / duck['cpu_s']:.1f} times the processor time,"
        f" {spark['wall_s'] / duck['wall_s']:.1f} times the wall time. {busy}Memory that"
        " processes share is counted for each.",
    ]  # fmt: skip


def linking(row: dict[str, Any]) -> list[str]:
    """The linking step beside Splink."""
    own, theirs, pairs = row["stillwatch"], row["splink"], row["pairs"]
    out = [
        "", "### Linking beside Splink", "", row["machine"], *of_another_program(row.get("code"), "bench-engines"), "",
        f"{row['accounts']:,} accounts ({row['scenario']}, seed {row['seed']}, scale {row['scale']:g}) with up to"
        f" {len(row['traits'])} values each: {', '.join(row['traits'])}. Splink {theirs['version']} blocks on values that at"
        f" most {row['block_max']} accounts share and learns its weights from the table; ours weighs timing, hand-offs and work"
        " queues besides. CPU seconds, training included, extraction left out.", "",
        "| | CPU s | accounts/s/core | clusters of five or more | accounts of campaigns with their own | honest accounts in a cluster of another controller |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, each in (("stillwatch", own), ("Splink", theirs)):
        out.append(
            f"| {name} | {each['cpu_s']:.1f} | {each['accounts_per_s_per_core']:,.0f} | {each['clusters']}"
            f" | {wilson(each['operated_with_their_own'], each['operated'])}"
            f" | {wilson(each['honest_with_strangers'], each['honest'])} |"
        )
    silent = own["operated"] + own["honest"] - row["accounts"]
    told = (
        f" n counts also {silent:,} accounts of the world that sent nothing, which neither could link."
        if silent
        else ""
    )
    return [
        *out, "",
        f"Pairs of accounts put together: {pairs['stillwatch']:,} by ours, {pairs['splink']:,} by Splink, {pairs['both']:,} by"
        f" both. Splink's peak memory was {theirs['peak_bytes'] / 2**30:.1f} GiB. Splink answers which records are one person, and"
        " nothing was tuned for it: the figures say what pairwise linkage does with these values, not what an expert could"
        " get out of it. A group is no accusation yet: what it is used for is judged afterwards. It is one world, and intervals take accounts one by one, though those of one campaign stand or fall"
        f" together.{told}",
    ]  # fmt: skip


def kernel(row: dict[str, Any]) -> list[str]:
    """The text kernel beside reading and hashing, and MinHash beside two libraries."""
    speed, libraries = row["prompts_per_s_per_core"], row.get("libraries_prompts_per_s_per_core", {})
    out = [
        "", "### The text kernel, and MinHash beside libraries", "", row["machine"],
        *of_another_program(row.get("code"), "bench-engines"), "",
        f"{row['prompts']:,} prompts of {row['mean_bytes']:.0f} bytes, seed {row['seed']}, one core; the libraries had a tenth"
        " of them.", "", "| | prompts/s/core |", "|---|---|",
        f"| reading Parquet | {speed['read']:,} |", f"| reading and one keyed hash of the bytes | {speed['read_and_hash']:,} |",
        f"| reading and the whole kernel | {speed['read_and_kernel']:,} |", f"| **the whole kernel** | **{speed['kernel']:,}** |",
    ]  # fmt: skip
    for name, each in libraries.items():
        out.append(
            f"| {name} | {each['minhash']:,}; with shingling in Python {each['shingling_and_minhash']:,} |"
        )
    names = [name for name in row["jaccard"][0] if name not in ("pairs", "true", "kernel")]
    out += [
        "",
        "The kernel makes skeleton, digests, bands, cues and language in one pass; a library only MinHash. Mean similarity of"
        " pairs, by true similarity, as each estimates it:",
        "",
        "| pairs | true | kernel | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
    ]
    for each in row["jaccard"]:
        cells = [f"{each[name]:.3f}" for name in ("true", "kernel", *names)]
        out.append(f"| {each['pairs']:.0f} | " + " | ".join(cells) + " |")
    return out


FILES = (
    ("engines.json", engines), ("engines_large.json", engines), ("linking.json", linking), ("kernel.json", kernel),
)  # fmt: skip
