"""Parameter groups and precision of the training."""

import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from refvos.engine import BF16OptimWrapper, GroupedOptimWrapperConstructor

KEYS = {'backbone': dict(lr_mult=0.5), 'norm': dict(decay_mult=0.0)}


def build_net():
    torch.manual_seed(0)
    net = nn.ModuleDict(
        {
            'backbone': nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 4)),
            'norm': nn.LayerNorm(4),
            'head': nn.Linear(4, 1),
        }
    )
    net['backbone'][0].bias.requires_grad_(False)
    return net


def wrap(net, constructor):
    return build_optim_wrapper(
        net,
        dict(
            constructor=constructor,
            optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.01),
            paramwise_cfg=dict(custom_keys=KEYS),
        ),
    )


def step(net, wrapper):
    x = net['backbone'](torch.ones(2, 3))
    loss = net['head'](net['norm'](x)).square().sum()
    wrapper.update_params(loss)


def test_one_group_for_all_parameters_of_the_same_options():
    net = build_net()
    wrapper = wrap(net, 'GroupedOptimWrapperConstructor')
    assert GroupedOptimWrapperConstructor.__name__
    groups = wrapper.optimizer.param_groups
    assert [len(group['params']) for group in groups] == [3, 2, 2]
    assert [group['lr'] for group in groups] == [0.05, 0.1, 0.1]
    assert [group['weight_decay'] for group in groups] == [0.01, 0.0, 0.01]
    assert groups[0]['params'][0] is net['backbone'][0].weight


def test_groups_train_as_mmengines_do():
    ours, theirs = build_net(), build_net()
    for net, constructor in (
        (ours, 'GroupedOptimWrapperConstructor'),
        (theirs, 'DefaultOptimWrapperConstructor'),
    ):
        wrapper = wrap(net, constructor)
        for _ in range(3):
            step(net, wrapper)
    for (name, one), two in zip(
        ours.named_parameters(), theirs.parameters(), strict=True
    ):
        assert torch.equal(one, two), name
    assert not torch.equal(ours['head'].weight, build_net()['head'].weight)


def test_bfloat16_is_for_the_forward_pass_alone():
    net = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    wrapper = BF16OptimWrapper(optimizer)
    with wrapper.optim_context(net):
        output = net(torch.ones(1, 3))
    assert output.dtype == torch.bfloat16
    before = net.weight.detach().clone()
    loss = output.float().sum()
    loss.backward(retain_graph=True)
    assert net.weight.dtype == net.weight.grad.dtype == torch.float32
    wrapper.update_params(loss)
    assert not torch.equal(net.weight, before)
    with OptimWrapper(optimizer).optim_context(net):
        assert net(torch.ones(1, 3)).dtype == torch.float32
