#include "CWebUI.h"

// `#embed` is C23; the compiler takes it in every mode and warns.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char index_html[] = {
#embed "files/index.html"
};
static const unsigned char tribune_css[] = {
#embed "files/tribune.css"
};
static const unsigned char tribune_js[] = {
#embed "files/tribune.js"
};
static const unsigned char graph_js[] = {
#embed "files/graph.js"
};

const struct cwebui_file cwebui_files[] = {
    {"index.html", index_html, sizeof index_html},
    {"tribune.css", tribune_css, sizeof tribune_css},
    {"tribune.js", tribune_js, sizeof tribune_js},
    {"graph.js", graph_js, sizeof graph_js},
};

const size_t cwebui_count = sizeof cwebui_files / sizeof *cwebui_files;
