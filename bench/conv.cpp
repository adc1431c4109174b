// Convolutions other than depthwise ones, of the models' shapes.
#include "Convolution.h"

using effc::bench::addConvolution;
using effc::bench::Convolution;

/// channels, map, filters, kernel, strides, dilation, groups
static const Convolution pointwise[] = {
    // resnet50
    {64, {56, 56}, 64, {1, 1}},
    {64, {56, 56}, 256, {1, 1}},
    {256, {56, 56}, 64, {1, 1}},
    {256, {56, 56}, 128, {1, 1}},
    {128, {28, 28}, 512, {1, 1}},
    {512, {28, 28}, 128, {1, 1}},
    {256, {14, 14}, 1024, {1, 1}},
    {1024, {14, 14}, 256, {1, 1}},
    {512, {7, 7}, 2048, {1, 1}},
    {2048, {7, 7}, 512, {1, 1}},
    {256, {56, 56}, 512, {1, 1}, {2, 2}},
    {512, {28, 28}, 1024, {1, 1}, {2, 2}},
    {1024, {14, 14}, 2048, {1, 1}, {2, 2}},
    // mobilenet_v2, efficientnet_b0
    {32, {112, 112}, 16, {1, 1}},
    {16, {112, 112}, 96, {1, 1}},
    {96, {56, 56}, 24, {1, 1}},
    {24, {56, 56}, 144, {1, 1}},
    {144, {56, 56}, 24, {1, 1}},
    {144, {28, 28}, 40, {1, 1}},
    {40, {28, 28}, 240, {1, 1}},
    {32, {28, 28}, 192, {1, 1}},
    {192, {28, 28}, 32, {1, 1}},
    {64, {14, 14}, 384, {1, 1}},
    {384, {14, 14}, 64, {1, 1}},
    {672, {14, 14}, 112, {1, 1}},
    {160, {7, 7}, 960, {1, 1}},
    {960, {7, 7}, 160, {1, 1}},
    {1152, {7, 7}, 192, {1, 1}},
    {320, {7, 7}, 1280, {1, 1}},
    // squeezenet, yunet, fastestdet, ultraface
    {16, {55, 55}, 64, {1, 1}},
    {128, {55, 55}, 16, {1, 1}},
    {512, {13, 13}, 1000, {1, 1}},
    {64, {80, 80}, 64, {1, 1}},
    {16, {160, 160}, 16, {1, 1}},
    {24, {44, 44}, 24, {1, 1}},
    {48, {22, 22}, 48, {1, 1}},
    {64, {30, 40}, 12, {1, 1}},
};

static const Convolution dense[] = {
    // resnet50
    {64, {56, 56}, 64, {3, 3}},
    {128, {28, 28}, 128, {3, 3}},
    {256, {14, 14}, 256, {3, 3}},
    {512, {7, 7}, 512, {3, 3}},
    {128, {56, 56}, 128, {3, 3}, {2, 2}},
    {256, {28, 28}, 256, {3, 3}, {2, 2}},
    {512, {14, 14}, 512, {3, 3}, {2, 2}},
    // squeezenet
    {16, {55, 55}, 64, {3, 3}},
    {32, {27, 27}, 128, {3, 3}},
    {48, {13, 13}, 192, {3, 3}},
    {64, {13, 13}, 256, {3, 3}},
    // ultraface, mnist, basic_pitch
    {8, {30, 40}, 16, {3, 3}},
    {256, {4, 5}, 12, {3, 3}},
    {8, {14, 14}, 16, {5, 5}},
    {8, {172, 264}, 32, {5, 5}, {1, 3}},
    {8, {172, 264}, 8, {3, 39}},
    {32, {172, 88}, 1, {7, 3}},
};

static const Convolution special[] = {
    // ultraface: dilated
    {16, {30, 40}, 16, {3, 3}, {1, 1}, 2},
    {16, {30, 40}, 16, {3, 3}, {1, 1}, 3},
    {16, {30, 40}, 16, {3, 3}, {1, 1}, 5},
    {256, {28, 28}, 256, {3, 3}, {1, 1}, 2},
    // grouped: gtcrn, and as in ResNeXt
    {16, {1, 65}, 16, {1, 5}, {1, 2}, 1, 2},
    {128, {28, 28}, 128, {3, 3}, {1, 1}, 1, 32},
    {256, {14, 14}, 256, {3, 3}, {1, 1}, 1, 8},
    // 1-D: magika, silero and as in speech models
    {256, {512}, 512, {5}},
    {128, {1000}, 128, {3}},
    {64, {3000}, 128, {9}, {2}},
};

static Convolution makeFirst(Convolution conv) {
  conv.first = true;
  return conv;
}

static Convolution makeTransposed(Convolution conv) {
  conv.transposed = true;
  return conv;
}

int main(int argc, char **argv) {
  for (const Convolution &conv : pointwise)
    addConvolution("conv 1x1", conv);
  for (const Convolution &conv : dense)
    addConvolution("conv", conv);
  for (const Convolution &conv : special)
    addConvolution(conv.groups > 1     ? "conv grouped"
                   : conv.dilation > 1 ? "conv dilated"
                                       : "conv 1-D",
                   conv);
  // resnet50, mobilenet_v2, squeezenet, ultraface, yunet, fastestdet, digits,
  // mnist, vit_small
  for (const Convolution &conv :
       {Convolution{3, {224, 224}, 64, {7, 7}, {2, 2}},
        Convolution{3, {224, 224}, 32, {3, 3}, {2, 2}},
        Convolution{3, {224, 224}, 64, {3, 3}, {2, 2}},
        Convolution{3, {240, 320}, 16, {3, 3}, {2, 2}},
        Convolution{3, {320, 320}, 16, {3, 3}, {2, 2}},
        Convolution{3, {352, 352}, 24, {3, 3}, {2, 2}},
        Convolution{1, {28, 28}, 32, {3, 3}},
        Convolution{1, {28, 28}, 8, {5, 5}}})
    addConvolution("conv first", makeFirst(conv));
  // gtcrn, and as in U-Nets
  for (const Convolution &conv :
       {Convolution{16, {1, 33}, 16, {1, 5}, {1, 2}, 1, 2},
        Convolution{16, {1, 65}, 2, {1, 5}, {1, 2}},
        Convolution{256, {14, 14}, 128, {2, 2}, {2, 2}},
        Convolution{64, {28, 28}, 32, {4, 4}, {2, 2}},
        Convolution{64, {28, 28}, 64, {3, 3}, {1, 1}}})
    addConvolution("conv transposed", makeTransposed(conv));
  return effc::bench::runFamily(argc, argv);
}
