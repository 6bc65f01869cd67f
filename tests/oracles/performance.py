"""Performance estimation of one step of SAM without symmetry: one unknown for every inner product.

Written from the interpolation conditions in their papers, for small numbers of components.
"""

import warnings
from itertools import permutations

import cvxpy as cp
import numpy as np
from PEPit import PEP, Expression
from PEPit.functions import (
    SmoothConvexFunction,
    SmoothFunction,
    SmoothStronglyConvexFunction,
)

TOLERANCES = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-10)


class Step:
    """The full semidefinite program, with a Gram matrix of size 1 + n + 2 n^2.

    The slope needs no points after the step: without a step size there are none.
    """

    def __init__(self, count, step_size, radius):
        self.count = count
        self.size = 1 + count + 2 * count * count
        self.gram = cp.Variable((self.size, self.size), PSD=True)
        unit = np.eye(self.size)
        x, g = unit[0], unit[1 : 1 + count]
        a = unit[1 + count : 1 + count + count**2].reshape(count, count, -1)
        p = unit[1 + count + count**2 :].reshape(count, count, -1)
        self.x = x
        self.points = [x, *(x + radius * g[i] for i in range(count))]
        self.after = [x - step_size * a[i, i] for i in range(count)] if step_size else []
        self.points += self.after
        seen = len(self.points)
        self.gradients = [[g[j], *a[j], *p[j]][:seen] for j in range(count)]
        self.ascended = [a[i, i] for i in range(count)]
        self.f = [cp.Variable(seen) for _ in range(count)]
        self.mean_f = sum(self.f) / count
        self.mean_gradients = [
            sum(self.gradients[j][k] for j in range(count)) / count for k in range(seen)
        ]
        self.constraints = []

    def inner(self, u, v):
        return cp.sum(cp.multiply(np.outer(u, v), (self.gram + self.gram.T) / 2))

    def samples(self, values, gradients):
        zero = np.zeros(self.size)
        return [(zero, zero, 0.0), *zip(self.points, gradients, values, strict=True)]

    def smooth(self, values, gradients, constant):
        """Taylor, Hendrickx, Glineur 2017, composite: Theorem 3.10, and f >= |g|^2/(2L)."""
        for (x, gx, fx), (y, gy, fy) in permutations(self.samples(values, gradients), 2):
            middle = self.inner((gx + gy) / 2, x - y)
            bend = self.inner(gx - gy, gx - gy) / (4 * constant)
            self.constraints.append(
                fx >= fy + middle + bend - constant / 4 * self.inner(x - y, x - y)
            )
        for _, g, f in self.samples(values, gradients):
            self.constraints.append(2 * constant * f >= self.inner(g, g))

    def convex(self, values, gradients, constant, modulus=0.0):
        """Convexity after the quadratic is subtracted: f - m|x|^2/2 is (L - m)-smooth, convex."""
        for (x, gx, fx), (y, gy, fy) in permutations(self.samples(values, gradients), 2):
            hx, hy = gx - modulus * x, gy - modulus * y
            left = fx - modulus / 2 * self.inner(x, x) - fy + modulus / 2 * self.inner(y, y)
            bend = self.inner(hx - hy, hx - hy) / (2 * (constant - modulus))
            self.constraints.append(left >= self.inner(hy, x - y) + bend)

    def quadratic(self, values, gradients, lower, upper):
        """Bousselmi, Hendrickx, Glineur 2024: symmetry, values, and a matrix inequality."""
        size = len(gradients)
        cross = [[self.inner(x, g) for g in gradients] for x in self.points]
        for k in range(size):
            self.constraints.append(values[k] == cross[k][k] / 2)
            self.constraints += [cross[k][m] == cross[m][k] for m in range(k)]
        above = [g - lower * x for x, g in zip(self.points, gradients, strict=True)]
        below = [upper * x - g for x, g in zip(self.points, gradients, strict=True)]
        matrix = cp.bmat([[self.inner(u, v) for v in below] for u in above])
        self.constraints.append((matrix + matrix.T) / 2 >> 0)

    def components(self, method, *constants):
        for values, gradients in zip(self.f, self.gradients, strict=True):
            method(values, gradients, *constants)

    def dominated(self, mu):
        for k, gradient in enumerate(self.mean_gradients):
            self.constraints.append(self.inner(gradient, gradient) >= 2 * mu * self.mean_f[k])
        self.constraints.append(self.mean_f[0] >= mu / 2 * self.inner(self.x, self.x))

    def maximise(self, objective, start):
        problem = cp.Problem(cp.Maximize(objective), [*self.constraints, start == 1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 1e-10 is not always reached; the tests ask for 1e-6
            problem.solve(solver=cp.CLARABEL, **TOLERANCES)
        assert problem.status in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)
        return problem.value

    def worst_loss(self):
        return self.maximise(cp.sum(self.mean_f[1 + self.count :]) / self.count, self.mean_f[0])

    def worst_distance(self):
        after = sum(self.inner(z, z) for z in self.after) / self.count
        return self.maximise(after, self.inner(self.x, self.x))

    def worst_slope(self):
        mean = sum(self.ascended) / self.count
        return self.maximise(-self.inner(self.mean_gradients[0], mean), self.mean_f[0])


def pepit(count, mu, step_size, radius, samples, mean, measure, beta=1.0):
    """The same problem, stated to PEPit."""
    problem = PEP()
    classes = {
        "smooth": lambda: problem.declare_function(SmoothFunction, L=beta),
        "convex": lambda: problem.declare_function(SmoothConvexFunction, L=beta),
        "strongly convex": lambda: problem.declare_function(
            SmoothStronglyConvexFunction, mu=mu, L=beta
        ),
    }
    functions = [classes[samples]() for _ in range(count)]
    star, x = problem.set_initial_point(), problem.set_initial_point()
    for function in functions:
        lowest = Expression(is_leaf=True)
        function.add_point((star, 0 * star, lowest))
        problem.add_constraint(lowest == 0)

    def average(terms):
        first, *rest = terms
        for term in rest:
            first = first + term
        return first / count

    perturbed = [x + radius * f.gradient(x) for f in functions]
    after = [x - step_size * f.gradient(y) for f, y in zip(functions, perturbed, strict=True)]
    for point in [x, *perturbed, *(after if measure == "loss" else [])]:
        gradient = average(f.gradient(point) for f in functions)
        loss = average(f(point) for f in functions)
        if mean == "PL":
            problem.add_constraint(gradient**2 / 2 >= mu * loss)
        if samples == "smooth":
            for f in functions:
                problem.add_constraint(f(point) >= f.gradient(point) ** 2 / (2 * beta))
    if mean in ("PL", "quadratic growth"):
        problem.add_constraint(average(f(x) for f in functions) >= mu / 2 * (x - star) ** 2)
    if measure == "loss":
        problem.set_initial_condition(average(f(x) for f in functions) <= 1)
        losses = [average(f(z) for f in functions) for z in after]
        problem.set_performance_metric(average(losses))
    else:
        problem.set_initial_condition((x - star) ** 2 <= 1)
        problem.set_performance_metric(average((z - star) ** 2 for z in after))
    return problem.solve(verbose=0, wrapper="cvxpy", solver="CLARABEL", **TOLERANCES)
