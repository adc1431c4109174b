// A product with constant weights on both sides.
#ifndef EFFC_BENCH_MATMUL_H
#define EFFC_BENCH_MATMUL_H

#include "Race.h"

namespace effc::bench {

struct Matmul {
  int64_t rows, columns, depth;

  std::string getName() const;
  double getFlops() const { return 2.0 * rows * columns * depth; }
};

/// oneDNN's product of `input` and `weight` with a bias per column, f32 out;
/// `attributes` and `more` for what else it reads.
std::unique_ptr<OneDnn> makeMatmul(const Array &input, const Array &weight,
                                   const Array &bias,
                                   const dnnl::primitive_attr &attributes = {},
                                   const OneDnn::Arguments &more = {});

/// The main function of a family of products: a row for each shape.
int runMatmuls(const std::string &family, const std::vector<Matmul> &shapes,
               Contest (*make)(const Matmul &), int argc, char **argv);

} // namespace effc::bench

#endif // EFFC_BENCH_MATMUL_H
