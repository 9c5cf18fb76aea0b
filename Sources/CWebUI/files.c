#include "CWebUI.h"

// `#embed` is C23; the compiler takes it in every mode and warns.
#pragma clang diagnostic ignored "-Wc23-extensions"

// scripts/web.sh bundles web/ into `built`. A compiler that is called without it still gets a program, whose page says so.
#if __has_embed("built/index.html")

static const unsigned char index_html[] = {
#embed "built/index.html"
};
static const unsigned char app_css[] = {
#embed "built/app.css"
};
static const unsigned char app_js[] = {
#embed "built/app.js"
};
static const unsigned char graph_js[] = {
#embed "built/graph.js"
};
static const unsigned char editor_js[] = {
#embed "built/editor.js"
};
static const unsigned char worker_js[] = {
#embed "built/worker.js"
};
static const unsigned char manifest_webmanifest[] = {
#embed "built/manifest.webmanifest"
};
static const unsigned char icon_192_png[] = {
#embed "built/icon-192.png"
};
static const unsigned char icon_512_png[] = {
#embed "built/icon-512.png"
};
static const unsigned char licenses_txt[] = {
#embed "built/licenses.txt"
};

const struct cwebui_file cwebui_files[] = {
    {"index.html", index_html, sizeof index_html},
    {"app.css", app_css, sizeof app_css},
    {"app.js", app_js, sizeof app_js},
    {"graph.js", graph_js, sizeof graph_js},
    {"editor.js", editor_js, sizeof editor_js},
    {"worker.js", worker_js, sizeof worker_js},
    {"manifest.webmanifest", manifest_webmanifest, sizeof manifest_webmanifest},
    {"icon-192.png", icon_192_png, sizeof icon_192_png},
    {"icon-512.png", icon_512_png, sizeof icon_512_png},
    {"licenses.txt", licenses_txt, sizeof licenses_txt},
};

#else

static const unsigned char index_html[] = {
#embed "unbuilt/index.html"
};

const struct cwebui_file cwebui_files[] = {
    {"index.html", index_html, sizeof index_html},
};

#endif

const size_t cwebui_count = sizeof cwebui_files / sizeof *cwebui_files;
