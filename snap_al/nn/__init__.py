"""Regression with error bars by any network of torch (extra `nn`).

Four wrappers take a `torch.nn.Module`, fit it to arrays and predict with stds: an ensemble, Markov
chain Monte Carlo, variational inference, and the embedded model error on the last layer. They have
the methods of QUiNN, the public code of the authors of the embedded model error. torch is imported
when a wrapper is made. docs/networks.md says which to take.
"""

from snap_al.nn.ensemble import EnsRegr
from snap_al.nn.last_layer import LastLayerRegr
from snap_al.nn.mcmc import MCMCRegr
from snap_al.nn.regressor import Regressor
from snap_al.nn.training import Training
from snap_al.nn.variational import VIRegr

__all__ = ["EnsRegr", "LastLayerRegr", "MCMCRegr", "Regressor", "Training", "VIRegr"]
