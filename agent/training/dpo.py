"""One training: DPO with LoRA of a local model.

This file owns TRL and PEFT. A training that was cut off goes on from its last checkpoint. Every
size gets the same number of updates, so that a curve over sizes speaks of pairs, not of updates.
"""

from __future__ import annotations

import gc
import math
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import BadConfig, MissingExtra
from agent.models.local_checkpoint import Checkpoint
from agent.training.dataset import COLUMNS, INSTALL, load_datasets
from store.encoders._torch import count_loaders, load_torch
from store.results.trainings import ADAPTER, TrainingLoss, TrainingRecipe

_CHECKPOINTS = "training"
_SAVED_TIMES = 4  # in one training
_LOGGED_TIMES = 25
_DROPOUT = 0.0  # TRL switches it off


@dataclass(frozen=True)
class TrainedModel:
    """A model after its training, with its adapter in place."""

    checkpoint: Checkpoint
    losses: tuple[TrainingLoss, ...]


def check_training() -> None:
    """Find out whether this can train at all, before anything is loaded.

    Raises
    ------
    MissingExtra, BadConfig
        The extra is not installed, or this process sees several GPUs.
    """
    load_datasets().disable_progress_bars()
    _load_trl()
    from transformers.utils import logging

    logging.set_verbosity_error()  # the command has its own display
    seen = load_torch().cuda.device_count()
    if seen > 1:
        raise BadConfig(
            f"One training uses one GPU, and {seen} are in sight. "
            "Type: export CUDA_VISIBLE_DEVICES=0"
        )


@contextmanager
def train_model(
    base: Checkpoint,
    pairs: Any,
    recipe: TrainingRecipe,
    seed: int,
    folder: Path,
    tell: Callable[[int], None],
) -> Iterator[TrainedModel]:
    """Train a model, or go on where an earlier try was cut off; afterwards it is untrained again.

    The adapter is put into the base, whose own weights stay as they are, and taken out at the end.
    The folder takes checkpoints and the adapter; ``tell`` is called with the updates done.

    Raises
    ------
    BadConfig
        The pairs of one pass do not fit in memory.
    """
    forward = vars(base.model).get("forward")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TRL's own, of transformers' next version
        trainer = _trainer(base, pairs, recipe, seed, folder / _CHECKPOINTS)
        trainer.add_callback(_teller(tell))
        try:
            trainer.train(resume_from_checkpoint=_last(folder / _CHECKPOINTS))
        except load_torch().OutOfMemoryError as error:
            raise _too_big(recipe) from error
    model, log = trainer.model, trainer.state.log_history
    del trainer  # with the optimizer's memory
    model.save_pretrained(str(folder / ADAPTER))
    losses = tuple(
        TrainingLoss(update=row["step"], loss=row["loss"]) for row in log if "loss" in row
    )
    yield TrainedModel(_ready(base, model), losses)
    _take_adapter_out(model, base.model, forward)


def _take_adapter_out(trained: Any, base: Any, forward: Any) -> None:
    """Undo what PEFT and TRL did to a model, so that the next training begins as the first did."""
    trained.unload()
    gc.collect()  # the trainer is a circle, and holds the optimizer's memory
    base.disable_input_require_grads()
    if forward is None:
        vars(base).pop("forward", None)  # TRL's, which would wrap itself at the next training
    else:
        base.forward = forward


def _too_big(recipe: TrainingRecipe) -> BadConfig:
    pairs = recipe.batch // recipe.accumulation
    if pairs == 1:
        return BadConfig(
            "One pair does not fit in memory. Take a smaller model. "
            "Type: --model hfvlm/Qwen/Qwen3-VL-2B-Instruct --out another-folder"
        )
    parts = next(
        n for n in range(recipe.accumulation + 1, recipe.batch + 1) if recipe.batch % n == 0
    )
    return BadConfig(
        f"{pairs} pairs at once do not fit in memory. "
        f"Type: --accumulate {parts} --out another-folder"
    )


def forget_checkpoints(folder: Path) -> None:
    shutil.rmtree(folder / _CHECKPOINTS, ignore_errors=True)


def log_probabilities(checkpoint: Checkpoint, pairs: Any) -> list[tuple[float, float, int, int]]:
    """Log-probability of the chosen and the rejected response of each pair, and their tokens."""
    torch = load_torch()
    from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

    collate = DataCollatorForVisionPreference(checkpoint.processor)
    model = checkpoint.model
    rows = []
    with torch.inference_mode():
        for pair in pairs.select_columns(list(COLUMNS)):
            batch = collate([pair]).to(model.device, model.dtype)
            said = batch.pop("completion_mask")[:, 1:]
            logits = model(**batch).logits[:, :-1].float().log_softmax(-1)
            each = logits.gather(-1, batch["input_ids"][:, 1:, None])[..., 0] * said
            sums, tokens = each.sum(1).tolist(), said.sum(1).tolist()
            rows.append((sums[0], sums[1], int(tokens[0]), int(tokens[1])))
    return rows


def build_chats(pairs: Any) -> list[list[dict[str, Any]]]:
    """Put the prompts with their pictures in the form in which a model is asked."""
    from trl.data_utils import prepare_multimodal_messages

    return [prepare_multimodal_messages(pair["prompt"], images=pair["images"]) for pair in pairs]


def _load_trl() -> tuple[Any, Any]:
    load_torch()  # before transformers, which imports torchvision
    try:
        import peft
        import trl
        import trl.trainer.dpo_trainer
    except ImportError as error:
        raise MissingExtra("What alignment needs", INSTALL) from error
    return trl, peft


def _trainer(
    base: Checkpoint, pairs: Any, recipe: TrainingRecipe, seed: int, checkpoints: Path
) -> Any:
    trl, peft = _load_trl()
    from transformers import PrinterCallback

    trainer = trl.DPOTrainer(
        model=base.model,
        args=_arguments(trl, base, recipe, seed, checkpoints),
        train_dataset=pairs.select_columns(list(COLUMNS)),
        processing_class=base.processor,
        peft_config=peft.LoraConfig(
            r=recipe.rank,
            lora_alpha=2 * recipe.rank,
            lora_dropout=_DROPOUT,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    trainer.remove_callback(PrinterCallback)  # the command has its own display
    return trainer


def _arguments(trl: Any, base: Checkpoint, recipe: TrainingRecipe, seed: int, folder: Path) -> Any:
    device = base.model.device.type
    loaders = count_loaders(device)  # processes that prepare the next pairs' pictures
    return trl.DPOConfig(
        output_dir=str(folder),
        seed=seed,
        max_steps=recipe.updates,
        per_device_train_batch_size=recipe.batch // recipe.accumulation,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        beta=recipe.beta,
        max_length=None,  # a cut would part a picture's tokens from the picture
        bf16=device == "cuda",
        use_cpu=device == "cpu",
        gradient_checkpointing=device == "cuda",
        dataloader_pin_memory=device == "cuda",
        dataloader_num_workers=loaders,
        dataloader_persistent_workers=loaders > 0,  # a small dataset has many epochs
        logging_steps=max(1, recipe.updates // _LOGGED_TIMES),
        save_steps=max(1, math.ceil(recipe.updates / _SAVED_TIMES)),
        save_total_limit=1,
        report_to="none",
        disable_tqdm=True,
    )


def _teller(tell: Callable[[int], None]) -> Any:
    from transformers import TrainerCallback

    class Teller(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
            tell(state.global_step)

    return Teller()


def _last(checkpoints: Path) -> str | None:
    from transformers.trainer_utils import get_last_checkpoint

    return get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None


def _ready(base: Checkpoint, model: Any) -> Checkpoint:
    model.eval()
    model.config.use_cache = True
    base.processor.tokenizer.padding_side = "left"
    return Checkpoint(model, base.processor, base.about, base.weights)
