"""generate(seed): a small random model and its inputs."""
import compute
import elementwise
import idioms
import movement
from graph import Graph, Skip

MAX_NODES = 12
TABLE = [(draw, weight * share) for module, share in ((elementwise, 1.0), (movement, 1.0), (compute, 1.0), (idioms, 1.2))
         for draw, weight in module.DRAWS.items()]
DRAWS = [draw for draw, _ in TABLE]
SHARES = [weight for _, weight in TABLE]
SHARES = [weight / sum(SHARES) for weight in SHARES]


def generate(seed):
    """(model, inputs by name). The same seed gives the same model."""
    g = Graph(seed)
    wanted = g.integer(1, MAX_NODES)
    for _ in range(4 * MAX_NODES):
        draw = DRAWS[int(g.rng.choice(len(DRAWS), p=SHARES))]
        mark = g.mark()
        try:
            draw(g)
        except Skip:
            g.undo(mark)
        if len(g.nodes) >= wanted:
            break
    return g.finish()
