// RUN: effc-opt %s | effc-opt | FileCheck %s

// CHECK-LABEL: func @norms
// CHECK: eff.softmax %{{.+}} axis 2 {log = true}
// CHECK: eff.layer_norm %{{.+}} scale %{{.+}} bias %{{.+}} axis 2 {epsilon = 1.000000e-05 : f64}
// CHECK: eff.layer_norm %{{.+}} bias %{{.+}} axis 2
// CHECK: eff.rms_norm %{{.+}} scale %{{.+}} axis 2
// CHECK: eff.group_norm %{{.+}} scale %{{.+}} groups 3 {channels_last = true, epsilon = 1.000000e-05 : f64}
func.func @norms(%x: tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>, %s: tensor<6xf32>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>> {
  %0 = eff.softmax %x axis 2 {log = true} : (tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
  %1 = eff.layer_norm %0 scale %s bias %s axis 2 {epsilon = 1.0e-5 : f64} : (tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>, tensor<6xf32>, tensor<6xf32>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
  %2 = eff.layer_norm %1 bias %s axis 2 {epsilon = 1.0e-5 : f64} : (tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>, tensor<6xf32>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
  %3 = eff.rms_norm %2 scale %s axis 2 {epsilon = 1.0e-5 : f64} : (tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>, tensor<6xf32>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
  %4 = eff.group_norm %3 scale %s groups 3 {epsilon = 1.0e-5 : f64, channels_last = true} : (tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>, tensor<6xf32>) -> tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
  return %4 : tensor<?x4x6xf32, #eff.dims<s0, 4, 6>>
}
