"""Ask a model whose weights are here, in this process: no server, and the same answers whoever asks again.

Each answer is drawn from the model's whole distribution at the plan's temperature; what the folder says of sampling
(penalties, cut-offs) is not heeded. Its seed comes from plan, model and prompt. One prompt at a time.

*Looks alike*: a served model of the same weights may run another precision or template, and answers otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.prove.suspects.endpoint import Calls
from stillwatch.prove.suspects.plan import AuditPlan, Model
from stillwatch.prove.suspects.transcript import Said
from stillwatch.prove.suspects.weights import Weights

HALF = "\ufffd"
"""What stands for bytes that are no character, as the first half of one."""
Told = Callable[[int, Said], None]


class Local:
    """One model, loaded when it is asked and let go afterwards."""

    def __init__(self, model: Model, weights: Weights, plan: AuditPlan, calls: Calls) -> None:
        self._model, self._weights, self._plan, self._calls = model, weights, plan, calls

    def ask_all(self, prompts: Iterable[tuple[int, str]], told: Told) -> None:
        """Ask every prompt; ``told`` hears each answer.

        Raises:
            ConfigError: the extra is not installed, or the weights cannot be loaded.
            Spent: the budget ran out; what was answered has been told.
        """
        todo = list(prompts)
        if not todo:
            return
        torch, loaded, tokeniser, sampling = self._load()
        for number, prompt in todo:
            self._calls.take()
            torch.manual_seed(self._seed(prompt))
            told(number, self._ask(torch, loaded, tokeniser, sampling, prompt))

    def _load(self) -> tuple[Any, Any, Any, Any]:
        try:
            torch, lib = import_module("torch"), import_module("transformers")
        except ImportError as error:
            raise ConfigError(
                f"{self._model.name} is asked from its weights, which needs torch",
                hint="pip install 'stillwatch[prove,torch]'; or serve it and name its url in the plan",
            ) from error
        lib.logging.set_verbosity_error()
        lib.utils.logging.disable_progress_bar()
        path, safe = self._weights.path, {"local_files_only": True, "trust_remote_code": False}
        try:
            tokeniser = lib.AutoTokenizer.from_pretrained(path, **safe)
            loaded = lib.AutoModelForCausalLM.from_pretrained(
                path, use_safetensors=True, dtype="auto", **safe
            )
        except Exception as error:  # a stranger's files: whatever a library may raise
            raise ConfigError(
                f"{self._model.name}: {self._weights.said} could not be loaded ({type(error).__name__})",
                hint="is it a causal model that transformers knows? else serve it and name its url in the plan",
            ) from error
        warm = self._plan.temperature > 0
        ends = loaded.generation_config.eos_token_id or loaded.config.eos_token_id
        sampling = lib.GenerationConfig(
            do_sample=warm, max_new_tokens=self._plan.max_tokens, eos_token_id=ends,
            pad_token_id=ends[0] if isinstance(ends, list) else ends,
            **({"temperature": self._plan.temperature, "top_k": 0, "top_p": 1.0} if warm else {}),
        )  # fmt: skip
        # Sampling that the folder wishes for (penalties, cut-offs, forced tokens) would fill what is not said here.
        loaded.generation_config = lib.GenerationConfig()
        return torch, loaded.eval(), tokeniser, sampling

    def _ask(self, torch: Any, loaded: Any, tokeniser: Any, sampling: Any, prompt: str) -> Said:
        try:
            asked = self._tokens(tokeniser, prompt)
            if not asked:
                return Said(None, failed="a prompt without tokens")
            with torch.inference_mode():
                whole = loaded.generate(
                    torch.tensor([asked]), attention_mask=torch.ones(1, len(asked), dtype=torch.long),
                    generation_config=sampling,
                )[0].tolist()  # fmt: skip
            text = _joined(tokeniser, asked, whole)
            text.encode()  # half a character is nothing that our tokeniser takes
        except ConfigError:
            raise
        except Exception as error:  # a prompt beyond its length, a stranger's template
            return Said(None, failed=type(error).__name__)
        failed = "" if text else "an answer without text"
        return Said(text or None, len(asked), len(whole) - len(asked), failed)

    def _tokens(self, tokeniser: Any, prompt: str) -> list[int]:
        """The prompt as the model's own tokens, through its template where the plan says so."""
        if self._model.api == "completions":
            return list(tokeniser(prompt)["input_ids"])
        if not tokeniser.chat_template:
            raise ConfigError(
                f"{self._model.name}: {self._weights.said} has no template of a chat",
                hint='api = "completions"',
            )
        system = [{"role": "system", "content": self._model.system}] if self._model.system else []
        if self._model.api == "prefill":
            turns = [{"role": "user", "content": "Continue."}, {"role": "assistant", "content": prompt}]
            more = {"continue_final_message": True, "add_generation_prompt": False}
        else:
            turns, more = [{"role": "user", "content": prompt}], {"add_generation_prompt": True}
        text = tokeniser.apply_chat_template([*system, *turns], tokenize=False, **more)
        return list(tokeniser(text, add_special_tokens=False)["input_ids"])

    def _seed(self, prompt: str) -> int:
        whole = f"{self._plan.seed}\0{self._model.name}\0{self._weights.sha256}\0{prompt}"
        return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:7], "big")


def _joined(tokeniser: Any, asked: list[int], whole: list[int]) -> str:
    """What was said, with the space before it: decoded by itself, some tokenisers lose that."""
    before = tokeniser.decode(asked, skip_special_tokens=True)
    both = tokeniser.decode(whole, skip_special_tokens=True)
    said = both[len(before) :] if both.startswith(before) else tokeniser.decode(
        whole[len(asked) :], skip_special_tokens=True
    )  # fmt: skip
    return str(said).rstrip(HALF)
