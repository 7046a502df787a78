#include "textflag.h"

// func rowSums(sum *[lanes]float32, w []float32, index []int32, value []float32)
TEXT ·rowSums(SB), NOSPLIT, $0-80
	MOVQ sum+0(FP), R8
	MOVQ w_base+8(FP), DI
	MOVQ index_base+32(FP), SI
	MOVQ index_len+40(FP), CX
	MOVQ value_base+56(FP), DX
	XORPS X0, X0
	XORPS X1, X1
	TESTQ CX, CX
	JZ    sums

next:
	MOVLQSX (SI), AX
	SHLQ    $5, AX // 8 weights of 4 bytes a row
	MOVSS   (DX), X2
	SHUFPS  $0, X2, X2
	MOVUPS  (DI)(AX*1), X3
	MOVUPS  16(DI)(AX*1), X4
	MULPS   X2, X3
	MULPS   X2, X4
	ADDPS   X3, X0
	ADDPS   X4, X1
	ADDQ    $4, SI
	ADDQ    $4, DX
	DECQ    CX
	JNZ     next

sums:
	MOVUPS X0, (R8)
	MOVUPS X1, 16(R8)
	RET

// func moveRows(w []float32, index []int32, value []float32, step *[lanes]float32)
TEXT ·moveRows(SB), NOSPLIT, $0-80
	MOVQ   w_base+0(FP), DI
	MOVQ   index_base+24(FP), SI
	MOVQ   index_len+32(FP), CX
	MOVQ   value_base+48(FP), DX
	MOVQ   step+72(FP), R8
	MOVUPS (R8), X0
	MOVUPS 16(R8), X1
	TESTQ  CX, CX
	JZ     moved

next:
	MOVLQSX (SI), AX
	SHLQ    $5, AX
	MOVSS   (DX), X2
	SHUFPS  $0, X2, X2
	MOVAPS  X2, X3
	MOVUPS  (DI)(AX*1), X4
	MOVUPS  16(DI)(AX*1), X5
	MULPS   X0, X2
	MULPS   X1, X3
	ADDPS   X2, X4
	ADDPS   X3, X5
	MOVUPS  X4, (DI)(AX*1)
	MOVUPS  X5, 16(DI)(AX*1)
	ADDQ    $4, SI
	ADDQ    $4, DX
	DECQ    CX
	JNZ     next

moved:
	RET
