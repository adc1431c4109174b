// Attention and rotary embedding.

def Eff_AttentionOp : Eff_ContractionOp<"attention"> {
  let summary = "softmax(scale * Q K^T + mask) V by head";
  let description = [{
    `q` is [B, H, S, D], `k` is [B, G, T, D] and `v` is [B, G, T, E] with G dividing H (grouped queries: head h reads
    group h / (H / G)). With `heads_last` all are [B, S, H, D] and so on, and so is the result. `mask` is additive
    and broadcasts to [B, H, S, T]; a bool mask excludes where false. `causal` lets query i see keys up to
    i + T - S. `softcap` c > 0 applies c * tanh(x / c) before the mask. A row without any key gives zeros when `zero_masked_rows`,
    else what softmax of all -inf gives. bf16 operands may have an f32 result; scores and softmax are f32 then, and so may be the mask.
  }];
  let arguments = (ins AnyRankedTensor:$q, AnyRankedTensor:$k, AnyRankedTensor:$v, Optional<AnyRankedTensor>:$mask,
                       F64Attr:$scale, DefaultValuedAttr<BoolAttr, "false">:$causal,
                       DefaultValuedAttr<F64Attr, "0.0">:$softcap,
                       DefaultValuedAttr<BoolAttr, "false">:$heads_last,
                       DefaultValuedAttr<BoolAttr, "false">:$zero_masked_rows);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$q `,` $k `,` $v (`mask` $mask^)? `scale` $scale attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Eff_RopeOp : Eff_InferOp<"rope", [Eff_CostOpInterface]> {
  let summary = "Rotary position embedding of the last dim";
  let description = [{
    `x` is [..., D]; `cos` and `sin` broadcast to [..., D / 2]. The first half of the last dim is rotated against the second
    half: y_lo = x_lo cos - x_hi sin, y_hi = x_hi cos + x_lo sin; with `interleaved` even elements against odd ones
    (RoFormer, arXiv 2104.09864; ONNX RotaryEmbedding-23).
  }];
  let arguments = (ins AnyRankedTensor:$x, AnyRankedTensor:$cos, AnyRankedTensor:$sin,
                       DefaultValuedAttr<BoolAttr, "false">:$interleaved);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x `cos` $cos `sin` $sin attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}
