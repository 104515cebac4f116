"""Make a model return the outputs that the metrics of a run need."""

from typing import Any, Dict, Iterable, Mapping

from mmdet.registry import HOOKS
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from ..errors import InputError


@HOOKS.register_module()
class MetricNeedsHook(Hook):
    """Set the test options of a model that the metrics need.

    A metric names them in its class attribute ``needs``: fields of the
    model's ``test_cfg`` and their values, such as
    ``{'soft_masks': 'linear'}``. Fields that ``model.test_cfg`` sets in the
    config are kept.

    Raises:
        InputError: If two metrics need different values of a field, before a
            validation or a test.

    Example:
        >>> default_hooks = dict(metric_needs=dict(type='MetricNeedsHook'))
    """

    def before_val(self, runner: Runner) -> None:
        """Set the options for the metrics of the validation."""
        set_needs(runner, runner.val_loop.evaluator.metrics)

    def before_test(self, runner: Runner) -> None:
        """Set the options for the metrics of the test."""
        set_needs(runner, runner.test_loop.evaluator.metrics)


def set_needs(runner: Runner, metrics: Iterable[BaseMetric]) -> None:
    """Set the test options that metrics need in the model of a run."""
    needs = collect_needs(metrics, configured_options(runner))
    if not needs:
        return
    model = runner.model
    if is_model_wrapper(model):
        model = model.module
    model.test_cfg = model.test_cfg.changed(**needs)


def configured_options(runner: Runner) -> Mapping[str, Any]:
    """Return ``model.test_cfg`` of the run's config."""
    model = runner.cfg.get('model')
    # A run may also get a model that is already built.
    return (model.get('test_cfg') if isinstance(model, dict) else None) or {}


def collect_needs(
    metrics: Iterable[BaseMetric], configured: Mapping[str, Any]
) -> Dict[str, Any]:
    """Merge the needs of metrics.

    Args:
        metrics: Metrics of this or another code base.
        configured: Test options of the config, which are not overridden.

    Raises:
        InputError: If two metrics need different values of a field.
    """
    needs: Dict[str, Any] = {}
    owners: Dict[str, str] = {}
    for metric in metrics:
        name = type(metric).__name__
        for field, value in getattr(metric, 'needs', {}).items():
            if field in configured:
                continue
            if needs.setdefault(field, value) != value:
                raise InputError.of(
                    name,
                    f'model.test_cfg.{field}',
                    value,
                    f'{needs[field]!r}, which {owners[field]} needs in the '
                    'same run; evaluate them in two runs',
                )
            owners[field] = name
    return needs
