/* serve.h: the language server.  What its files share is in server.h. */
#ifndef SERVE_H
#define SERVE_H

/* `netc lsp`, until the client ends it; gives the exit code. */
int serve(void);

#endif
