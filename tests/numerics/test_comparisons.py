"""The settings of the generalisation figures: sizes, splits, noise, and the members they train."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from numerics.data.mnist import load_mnist, noisy_labels, standardise
from numerics.hessians import CROSS_ENTROPY
from numerics.networks.scaled_mnist import ScaledMnist
from numerics.networks.teacher_student import TeacherStudent
from numerics.statistics import mean_interval
from numerics.training.epochs import fit_ensemble, mistakes
from numerics.training.to_loss import Member
from theory.trusted.algorithms import NORMALIZED_SAM, SAM, SGD

TINY = ScaledMnist(
    samples=60, validation=30, test=50, epochs=3, radii=(0.05, 0.2), batch_size=20, scale=0.02
)
SMALL = TeacherStudent(
    samples=64, validation=40, test=2000, epochs=4, batch_size=16, hidden=20, radii=(0.05, 0.2)
)


@pytest.mark.parametrize(
    ("scale", "size"),
    [(0.25, 61_035), (0.5, 125_810), (1, 266_610), (4, 1_426_410), (10, 5_366_010)],
)
def test_sizes_are_the_published_ones(scale, size):
    """0.06, 0.13, 0.27, 1.43 and 5.37 million: layer by layer, by hand."""
    a, b = int(300 * scale), int(100 * scale)
    assert ScaledMnist(scale=scale).size == 785 * a + (a + 1) * b + (b + 1) * 10 == size


def test_splits_are_disjoint_images_of_mnist():
    data = ScaledMnist(samples=300, validation=200, test=100).data()
    images, labels = load_mnist("train")
    rows = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    found = []
    for x, y in (data.training, data.validation):
        raw = ((x.double() * 0.3081 + 0.1307) * 255).round().to(torch.uint8).numpy()
        # Two images may be equal; these 500 are not, and every label is that of its image.
        assert [rows[image.tobytes()] for image in raw] == y.tolist()
        found += [image.tobytes() for image in raw]
    assert len(set(found)) == 500
    test_images, test_labels = load_mnist("test")
    assert torch.equal(data.test[0], standardise(test_images[:100], torch.float32))
    assert data.test[1].tolist() == test_labels[:100].tolist()


def test_label_noise_enters_the_training_labels_only():
    clean, noisy = (replace(TINY, label_noise=share).data() for share in (0.0, 0.5))
    assert int((clean.training[1] != noisy.training[1]).sum()) == 30
    assert torch.equal(clean.training[0], noisy.training[0])
    for part in ("validation", "test"):
        assert torch.equal(getattr(clean, part)[1], getattr(noisy, part)[1])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75, 1.0])
def test_noisy_labels_change_the_stated_share_uniformly(share):
    labels = torch.arange(10).repeat(4000)
    noisy = noisy_labels(labels, share, seed=3)
    changed = noisy != labels
    assert int(changed.sum()) == share * len(labels)
    if share:
        shifts = (noisy - labels)[changed] % 10
        counts = np.bincount(shifts.numpy(), minlength=10)[1:]
        # Uniform over the nine other classes: a p-value above 1e-4 for this seed.
        assert stats.chisquare(counts).pvalue > 1e-4
    smaller = noisy_labels(labels, share / 2, seed=3) != labels
    assert bool((changed | ~smaller).all())


def test_the_members_are_those_of_the_setting():
    fits = TINY.fit(3)
    assert [(f.member.spec.name, f.member.radius) for f in fits] == [
        ("SGD", 0.0),
        ("normalised SAM", 0.05),
        ("normalised SAM", 0.2),
    ]
    assert {(f.member.seed, f.member.momentum, f.member.weight_decay) for f in fits} == {
        (3, 0.9, 1e-4)
    }
    member = Member(3, NORMALIZED_SAM, 0.1, 0.2, 20, 0.9, 1e-4)
    found = TINY.fit(3)[2]
    (alone,) = fit_ensemble(
        TINY.build, CROSS_ENTROPY, TINY.data(), [member], epochs=3, score=mistakes
    )
    # The schedule decays within three epochs, so the ends differ; the first epoch does not.
    assert found.validation_scores[0] == alone.validation_scores[0]
    assert not torch.equal(found.parameters, alone.parameters)


def test_sam_is_normalised_unless_the_setting_says_otherwise():
    plain, normalised = (replace(TINY, normalized=flag) for flag in (False, True))
    assert [member.spec for member in plain.members(1)] == [SGD, SAM, SAM]
    assert [member.spec for member in normalised.members(1)] == [SGD, *[NORMALIZED_SAM] * 2]
    assert [member.radius for member in plain.members(1)] == [0.0, 0.05, 0.2]


def test_teacher_is_scaled_and_its_noise_is_as_stated():
    noisy, clean = (replace(SMALL, noise=s, samples=4000).data(1) for s in (0.5, 0.0))
    assert float(clean.test[1].std()) == pytest.approx(1.0, rel=1e-12)  # by construction
    assert torch.equal(noisy.test[1], clean.test[1])
    noise = noisy.training[1] - clean.training[1]
    # 4000 draws: the sample deviation is known to 1.1%; five of these.
    assert float(noise.std()) == pytest.approx(0.5, rel=0.06)
    assert not torch.equal(SMALL.data(1).training[1], SMALL.data(2).training[1])
    assert SMALL.size == 100 * 20 + 20 + 20 + 1


def test_a_student_learns():
    fits = replace(SMALL, samples=1000, epochs=20, batch_size=50).fit(0)
    # The zero function has 1/2; 400 steps on 1000 samples leave less than half of it.
    assert all(f.test_best < 0.25 and f.training_loss < 0.25 for f in fits)


def test_mean_interval_against_scipy():
    values = [0.3, -0.1, 0.4, 0.2]
    found = mean_interval(values, 0.9)
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    # The same few float64 operations in another order.
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-12)
    assert (found.mean, found.count) == (pytest.approx(0.2, rel=1e-15), 4)
    assert mean_interval([1.0, 1.0]).low == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replace(TINY, samples=59_971).data(), "samples \\+ validation is 60001: MNIST"),
        (lambda: replace(TINY, test=10_001).data(), "test is 10001: MNIST has 10000"),
        (lambda: replace(TINY, label_noise=1.5).data(), "label noise is 1.5"),
        (lambda: mean_interval([1.0]), "give 2 or more"),
        (lambda: mean_interval([1.0, float("nan")]), "give 2 or more finite"),
    ],
)
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
