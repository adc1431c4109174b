// RUN: effc-opt %s -effk-lower-math | FileCheck %s
// RUN: effc-opt %s -effk-lower-math="plain" | FileCheck %s --check-prefix=PLAIN

// CHECK-LABEL: func.func @scalar
// CHECK-NOT: math.exp
// CHECK: math.fma
// CHECK-NOT: call
// CHECK: return
// PLAIN-LABEL: func.func @scalar
// PLAIN: call @expf
func.func @scalar(%x: f32) -> f32 {
  %0 = math.exp %x : f32
  return %0 : f32
}

// CHECK-LABEL: func.func @vector
// CHECK-NOT: math.tanh
// CHECK: math.fma {{.*}} : vector<16xf32>
// PLAIN-LABEL: func.func @vector
// PLAIN-COUNT-16: call @tanhf
func.func @vector(%x: vector<16xf32>) -> vector<16xf32> {
  %0 = math.tanh %x : vector<16xf32>
  return %0 : vector<16xf32>
}

// Half types go through f32.
// CHECK-LABEL: func.func @half
// CHECK: arith.extf %{{.+}} : f16 to f32
// CHECK: arith.truncf %{{.+}} : f32 to f16
func.func @half(%x: f16) -> f16 {
  %0 = math.erf %x : f16
  return %0 : f16
}

// CHECK-LABEL: func.func @double
// CHECK: call @log1p
// PLAIN-LABEL: func.func @double
// PLAIN: call @log1p
func.func @double(%x: f64) -> f64 {
  %0 = math.log1p %x : f64
  return %0 : f64
}

// CHECK-LABEL: func.func @square
// CHECK: arith.mulf %[[X:.+]], %[[X]] : f32
// CHECK-NEXT: return
// PLAIN-LABEL: func.func @square
// PLAIN: call @powf
func.func @square(%x: f32) -> f32 {
  %two = arith.constant 2.0 : f32
  %0 = math.powf %x, %two : f32
  return %0 : f32
}

// Instructions stay.
// CHECK-LABEL: func.func @root
// CHECK: math.sqrt
// PLAIN-LABEL: func.func @root
// PLAIN: math.sqrt
func.func @root(%x: f32) -> f32 {
  %0 = math.sqrt %x : f32
  return %0 : f32
}

// CHECK-LABEL: func.func @narrow
// CHECK: arith.truncf %{{.+}} : f64 to f32
// CHECK: arith.truncf %{{.+}} : f32 to bf16
func.func @narrow(%x: f64) -> bf16 {
  %0 = arith.truncf %x : f64 to bf16
  return %0 : bf16
}

// A constant divides by its reciprocal, with one correction; a small one, and what is none, divides.
// CHECK-LABEL: func.func @quotients
// CHECK: %[[R:.+]] = arith.constant dense<0.333333343> : vector<16xf32>
// CHECK: %[[Q:.+]] = arith.mulf %arg0, %[[R]]
// CHECK: %[[N:.+]] = arith.negf %[[Q]]
// CHECK: %[[E:.+]] = math.fma %[[N]], %{{.+}}, %arg0
// CHECK: %[[C:.+]] = math.fma %[[E]], %[[R]], %[[Q]]
// CHECK: %[[S:.+]] = arith.cmpf one, %[[E]]
// CHECK: arith.select %[[S]], %[[C]], %[[Q]]
// CHECK-COUNT-2: arith.divf
// CHECK: return
// PLAIN-LABEL: func.func @quotients
// PLAIN-COUNT-3: arith.divf
func.func @quotients(%x: vector<16xf32>, %y: f32) -> (vector<16xf32>, f32, f32) {
  %c = arith.constant dense<3.0> : vector<16xf32>
  %small = arith.constant 1.0e-30 : f32
  %0 = arith.divf %x, %c : vector<16xf32>
  %1 = arith.divf %y, %small : f32
  %2 = arith.divf %small, %y : f32
  return %0, %1, %2 : vector<16xf32>, f32, f32
}
