/* The program pause, as bytes in the library. KAAPI_PAUSE_PROGRAM: the path of the binary, from CMakeLists.txt. */
        .section .rodata
        .global kaapi_pause_program_begin
        .global kaapi_pause_program_end
kaapi_pause_program_begin:
        .incbin KAAPI_PAUSE_PROGRAM
kaapi_pause_program_end:
        .byte 0
        .section .note.GNU-stack,"",%progbits
