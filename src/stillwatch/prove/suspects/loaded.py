"""The process that holds one model of a stranger's: a line in, a line out, and what `local` allows it.

The first line is the order: which folder, which test, how much memory. A text of ours is a line, with two lines back:
that it was made into tokens, and what the model holds likeliest along it. A prompt is a line with a number, and one
back: into how many tokens it was made; a line then names the numbers of prompts that are answered together, with a line
back for each.

Each answer is drawn from the model's whole distribution at the plan's temperature; what the folder says of sampling
(penalties, cut-offs) is not heeded. Its seed comes from plan, model and prompt.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from stillwatch.prove.suspects.drawn import Failed, draw
from stillwatch.prove.suspects.gguf import NAME, NotRead, described
from stillwatch.prove.suspects.pieces import HALF
from stillwatch.prove.suspects.transcript import LEAST_LOG_P

PLACES = 64
"""Places whose distributions are worked out at once."""
PART = "x"
"""An answer begun, to learn what a template puts before one."""


class Wrong(Exception):
    """What is wrong with the weights, and what can be done."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.told = {"wrong": message, "hint": hint}


class Loaded:
    """One model with its tokeniser."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._torch, self._lib = _libraries(order["name"])
        self._waiting: dict[int, tuple[str, list[int]]] = {}
        lib = self._lib
        try:
            self._load(lib)
        except Wrong:
            raise
        except NotRead as error:
            raise Wrong(
                f"{order['said']}: {error}", "serve it: llama-server -m FILE, and name its url"
            ) from error
        except BaseException as error:  # a stranger's files: whatever a library may raise, panics too
            raise Wrong(
                f"{order['said']} could not be loaded ({type(error).__name__})",
                "is it a causal model that transformers knows? else serve it and name its url in the plan",
            ) from error
        self._ends = self._how_it_ends()
        # Sampling that the folder wishes for (penalties, cut-offs, forced tokens) would fill what is not said here.
        self._model.generation_config = lib.GenerationConfig()
        self._model.eval()
        if order["reads"]:
            self._theirs, self._ours = _vocabularies(self._torch, self.pieces(), order["ours"], self._width())

    def _load(self, lib: Any) -> None:
        torch, order, path = self._torch, self._order, Path(self._order["path"])
        safe: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        self._lead: list[int] | None = None
        if order["kind"] == "gguf":
            self._file = described(path / NAME)
            held, self._lead = self._file.held, self._file.lead
            _check_size(torch, lib, path, order["said"], held, gguf_file=NAME, **safe)
            if not order["reads"]:
                self._tokeniser = lib.AutoTokenizer.from_pretrained(path, gguf_file=NAME, **safe)
            safe |= {"gguf_file": NAME, "dtype": torch.float32}
        else:
            _check_size(torch, lib, path, order["said"], _held(path), **safe)
            self._tokeniser = lib.AutoTokenizer.from_pretrained(path, **safe)
            safe |= {"use_safetensors": True, "dtype": "auto"}
        self._model, about = lib.AutoModelForCausalLM.from_pretrained(
            path, attn_implementation="eager", output_loading_info=True, **safe
        )
        if about["missing_keys"] or about["mismatched_keys"]:
            raise Wrong(
                f"{order['said']} lacks {len(about['missing_keys']) + len(about['mismatched_keys'])} of the tensors "
                "that its configuration asks for",
                "take the folder again from where it came: what is lacking would be made up",
            )

    def pieces(self) -> dict[str, int]:
        """The model's tokens and their numbers."""
        return dict(self._file.pieces if self._order["kind"] == "gguf" else self._tokeniser.get_vocab())

    def _how_it_ends(self) -> list[int]:
        """Tokens after which nothing is said; of a GGUF file its own, since a library would make some up."""
        if self._order["kind"] == "gguf":
            return self._file.ends
        ends = self._model.generation_config.eos_token_id
        ends = self._model.config.eos_token_id if ends is None else ends
        return [] if ends is None else list(ends) if isinstance(ends, list) else [ends]

    def _width(self) -> int:
        return int(self._model.get_output_embeddings().weight.shape[0])

    def asked(self, prompt: str) -> list[int]:
        """A prompt as the model's own tokens, through its template where the plan says so."""
        if self._order["api"] == "completions":
            lead = self._lead
            tokens = (
                list(self._tokeniser(prompt)["input_ids"])
                if lead is None
                else [*lead, *self._encoded(prompt)]
            )
        else:
            tokens = self._encoded(self._turns(prompt))
        if not tokens:
            raise Failed("a prompt without tokens")
        return tokens

    def _turns(self, prompt: str) -> str:
        if not self._tokeniser.chat_template:
            raise Wrong(f"{self._order['said']} has no template of a chat", 'api = "completions"')
        system = [{"role": "system", "content": self._order["system"]}] if self._order["system"] else []
        if self._order["api"] == "prefill":
            turns = [{"role": "user", "content": "Continue."}, {"role": "assistant", "content": prompt}]
            more = {"continue_final_message": True, "add_generation_prompt": False}
        else:
            turns, more = [{"role": "user", "content": prompt}], {"add_generation_prompt": True}
        return str(self._tokeniser.apply_chat_template([*system, *turns], tokenize=False, **more))

    def _encoded(self, text: str) -> list[int]:
        return list(self._tokeniser(text, add_special_tokens=False)["input_ids"])

    def wait(self, number: int, prompt: str) -> dict[str, Any]:
        """Make a prompt into tokens, and keep them until it is asked."""
        self._waiting[number] = prompt, self.asked(prompt)
        return {"step": "tokens", "in": len(self._waiting[number][1])}

    def said(self, numbers: list[int]) -> list[dict[str, Any]]:
        """What the model writes after prompts of one length; after each alone where they do not go together."""
        waiting = [self._waiting.pop(number) for number in numbers]
        try:
            return self._said(waiting)
        except Exception as error:  # numbers that are none, memory
            if len(waiting) == 1:
                return [{"failed": _why(error)}]
        return [row for one in waiting for row in self._tried(one)]

    def _tried(self, one: tuple[str, list[int]]) -> list[dict[str, Any]]:
        try:
            return self._said([one])
        except Exception as error:
            return [{"failed": _why(error)}]

    def _said(self, waiting: list[tuple[str, list[int]]]) -> list[dict[str, Any]]:
        seeds = [self._seed(prompt) for prompt, _ in waiting]
        asked = [tokens for _, tokens in waiting]
        wrote = draw(self._torch, self._lib, self._model, asked, seeds, self._order, self._ends)
        return [self._told(*pair) for pair in zip(asked, wrote, strict=True)]

    def _told(self, asked: list[int], wrote: list[int]) -> dict[str, Any]:
        text = _joined(self._tokeniser, asked, [*asked, *wrote])
        text.encode()  # half a character is nothing that our tokeniser takes
        failed = {} if text else {"failed": "an answer without text"}
        return {"reply": text or None, "in": len(asked), "out": len(wrote), **failed}

    def placed(self, text: list[int]) -> list[int]:
        """A text of ours as the model's own tokens, piece by piece, after what its template puts first."""
        pieces = [self._theirs.get(token) for token in text]
        if None in pieces:
            raise Failed("a text with tokens that the model has not")
        if len(text) <= self._order["width"]:
            raise Failed("a text no longer than the window")
        if self._lead is None:
            self._lead = self._before()
        most = getattr(self._model.config, "max_position_embeddings", None)
        if isinstance(most, int) and len(self._lead) + len(text) > most:
            raise Failed("a text longer than the model takes")
        return [*self._lead, *(piece for piece in pieces if piece is not None)]

    def _before(self) -> list[int]:
        if self._order["api"] == "prefill":
            whole = self._turns(PART)
            if not whole.endswith(PART):
                raise Wrong(
                    f"{self._order['said']}: its template ends otherwise than the answer does",
                    'api = "completions"',
                )
            return self._encoded(whole.removesuffix(PART))
        first, start = self._tokeniser(PART)["input_ids"][:1], self._tokeniser.bos_token_id
        return [start] if first == [start] else []

    def read(self, text: list[int], tokens: list[int]) -> dict[str, Any]:
        """The likeliest tokens at each place of a text, by their numbers in our vocabulary."""
        torch, width = self._torch, self._order["width"]
        shared = int((self._ours >= 0).sum())
        ids, values = [], []
        with torch.inference_mode():
            # What is said at one place is of the token at the next.
            logits = self._model(torch.tensor([tokens])).logits[0, len(tokens) - len(text) + width - 1 : -1]
            for part in logits.split(PLACES):
                log_p = torch.log_softmax(part.float(), -1)
                if bool(log_p.isnan().any()):
                    raise Failed("a likelihood that is no number")
                best = log_p.masked_fill(self._ours < 0, -torch.inf).topk(
                    min(self._order["top"], shared), dim=-1
                )
                ids += self._ours[best.indices].tolist()
                values += best.values.clamp(min=LEAST_LOG_P).double().tolist()
        return {"tokens": ids, "log_p": [[round(v, 4) for v in row] for row in values], "in": len(tokens)}

    def _seed(self, prompt: str) -> int:
        order = self._order
        whole = f"{order['seed']}\0{order['name']}\0{order['sha256']}\0{prompt}"
        return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:7], "big")


def _why(error: Exception) -> str:
    """In words of ours; of a stranger's error its kind alone."""
    return str(error) if isinstance(error, Failed) else type(error).__name__


def _libraries(name: str) -> tuple[Any, Any]:
    try:
        torch, lib = import_module("torch"), import_module("transformers")
    except ImportError as error:
        raise Wrong(
            "it is asked from its weights, which needs torch",
            "pip install 'stillwatch[prove,torch]'; or serve it and name its url in the plan",
        ) from error
    lib.logging.set_verbosity_error()
    lib.utils.logging.disable_progress_bar()
    return torch, lib


def _held(path: Path) -> int:
    """How many numbers a folder's files hold."""
    held = 0
    for file in sorted(path.glob("*.safetensors")):
        with import_module("safetensors").safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():
                count = 1
                for size in tensors.get_slice(name).get_shape():
                    count *= size
                held += count
    return held


def _check_size(torch: Any, lib: Any, path: Path, said: str, held: int, **safe: Any) -> None:
    """Hold what the configuration would build against what the files hold, before any of it is built."""
    config = lib.AutoConfig.from_pretrained(path, **safe)
    with torch.device("meta"):
        empty = lib.AutoModelForCausalLM.from_config(
            config, trust_remote_code=False, attn_implementation="eager"
        )
    asked = sum(one.numel() for one in empty.parameters())
    beside = sum(one.numel() for one in empty.buffers())
    if asked > held or beside > held + (1 << 28):
        raise Wrong(
            f"{said}: its configuration asks for {max(asked, beside):,} numbers, its files hold {held:,}",
            "packed weights (of 4 bits) have to be unpacked first, or served; else the folder is not what it says",
        )


def _vocabularies(torch: Any, pieces: dict[str, int], path: str, width: int) -> tuple[dict[int, int], Any]:
    """Our token's number to the model's, and back as int64[width]: by what the piece is; -1 where we have none."""
    ours = import_module("tokenizers").Tokenizer.from_file(path).get_vocab()
    theirs = {piece: token for piece, token in pieces.items() if 0 <= token < width}
    there = {token: theirs[piece] for piece, token in ours.items() if piece in theirs}
    back = torch.full((width,), -1, dtype=torch.long)
    for token, its in there.items():
        back[its] = token
    if not there:
        raise Wrong(
            "no token of the model's is one of ours",
            "hard and soft read models of our tokeniser; of another: probes or closed",
        )
    return there, back


def _joined(tokeniser: Any, asked: list[int], whole: list[int]) -> str:
    """What was said, with the space before it: decoded by itself, some tokenisers lose that."""
    before = tokeniser.decode(asked, skip_special_tokens=True)
    both = tokeniser.decode(whole, skip_special_tokens=True)
    said = both[len(before) :] if both.startswith(before) else tokeniser.decode(
        whole[len(asked) :], skip_special_tokens=True
    )  # fmt: skip
    return str(said).rstrip(HALF)


def _limit(memory: int) -> None:
    """The largest memory that this process may have, where the system knows such a limit."""
    try:
        resource = import_module("resource")
        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        least = memory if most == resource.RLIM_INFINITY else min(memory, most)
        resource.setrlimit(resource.RLIMIT_AS, (least, least))
    except (ImportError, OSError, ValueError, AttributeError):
        return


def main(lines: IO[bytes], out: IO[bytes]) -> None:
    """Load what the first line orders, then answer line by line."""

    def tell(what: dict[str, Any]) -> None:
        out.write(json.dumps(what).encode() + b"\n")
        out.flush()

    order = json.loads(lines.readline())
    _limit(order["memory"])
    try:
        loaded = Loaded(order)
        tell({"step": "loaded"})
        for line in lines:
            what = json.loads(line)
            try:
                if "ask" in what:
                    for row in loaded.said(what["ask"]):
                        tell(row)
                elif "prompt" in what:
                    tell(loaded.wait(what["n"], what["prompt"]))
                else:
                    tokens = loaded.placed(what["text"])
                    tell({"step": "tokens"})
                    tell(loaded.read(what["text"], tokens))
            except Wrong:
                raise
            except Exception as error:  # a prompt beyond its length, a stranger's template
                tell({"failed": _why(error)})
    except Wrong as error:
        tell(error.told)


if __name__ == "__main__":
    mine = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer
    main(sys.stdin.buffer, mine)
