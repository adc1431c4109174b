// Convolutions with one channel a group, of the models' shapes.
#include "Convolution.h"

using effc::bench::addConvolution;

/// channels, rows, columns, kernel, stride
static const struct {
  int64_t channels, rows, columns, kernel, stride;
} shapes[] = {
    // mobilenet_v2, efficientnet_b0
    {32, 112, 112, 3, 1},
    {96, 112, 112, 3, 2},
    {144, 56, 56, 3, 1},
    {144, 56, 56, 3, 2},
    {192, 28, 28, 3, 1},
    {192, 28, 28, 3, 2},
    {384, 14, 14, 3, 1},
    {576, 14, 14, 3, 1},
    {576, 14, 14, 3, 2},
    {960, 7, 7, 3, 1},
    {1152, 7, 7, 3, 1},
    {144, 56, 56, 5, 2},
    {240, 28, 28, 5, 1},
    {480, 14, 14, 5, 1},
    {672, 14, 14, 5, 1},
    {672, 14, 14, 5, 2},
    {1152, 7, 7, 5, 1},
    // ultraface, yunet, fastestdet, digits_cnn
    {16, 120, 160, 3, 1},
    {32, 60, 80, 3, 2},
    {64, 30, 40, 3, 1},
    {128, 15, 20, 3, 1},
    {64, 80, 80, 3, 1},
    {64, 40, 40, 3, 1},
    {64, 10, 10, 3, 1},
    {24, 88, 88, 3, 2},
    {48, 22, 22, 3, 1},
    {96, 22, 22, 5, 1},
    {128, 28, 28, 3, 1},
};

int main(int argc, char **argv) {
  for (const auto &shape : shapes)
    addConvolution("depthwise", {shape.channels,
                                 {shape.rows, shape.columns},
                                 shape.channels,
                                 {shape.kernel, shape.kernel},
                                 {shape.stride, shape.stride},
                                 1,
                                 shape.channels});
  return effc::bench::runFamily(argc, argv);
}
