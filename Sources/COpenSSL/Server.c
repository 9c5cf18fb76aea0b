#include "COpenSSL.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

// MARK: A socket as OpenSSL sees it

static int socket_write(BIO *bio, const char *bytes, int count) {
    int descriptor = (int)(intptr_t)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t sent;
    do sent = send(descriptor, bytes, (size_t)count, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
    return (int)sent;
}

static int socket_read(BIO *bio, char *bytes, int count) {
    int descriptor = (int)(intptr_t)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t received;
    do received = recv(descriptor, bytes, (size_t)count, 0);
    while (received < 0 && errno == EINTR);
    if (received < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
    if (received == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)received;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    default: return 0;
    }
}

static BIO_METHOD *socket_method;
static pthread_once_t socket_method_once = PTHREAD_ONCE_INIT;

static void make_socket_method(void) {
    socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    if (socket_method == NULL) return;
    BIO_meth_set_write(socket_method, socket_write);
    BIO_meth_set_read(socket_method, socket_read);
    BIO_meth_set_ctrl(socket_method, socket_control);
}

SSL *copenssl_accept(SSL_CTX *context, int descriptor) {
    pthread_once(&socket_method_once, make_socket_method);
    SSL *connection = SSL_new(context);
    BIO *bio = socket_method == NULL ? NULL : BIO_new(socket_method);
    if (connection == NULL || bio == NULL) {
        SSL_free(connection);
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)descriptor);
    BIO_set_init(bio, 1);
    SSL_set_bio(connection, bio, bio);
    SSL_set_accept_state(connection);
    return connection;
}

// MARK: Contexts

SSL_CTX *copenssl_server_context(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) return NULL;
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(
        context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    // Needed for resumption if clients have certificates.
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"tribune", 7);
    return context;
}

bool copenssl_set_versions(SSL_CTX *context, int minimum, int maximum) {
    return SSL_CTX_set_min_proto_version(context, minimum) == 1 && SSL_CTX_set_max_proto_version(context, maximum) == 1;
}

bool copenssl_set_groups(SSL_CTX *context, const char *groups) {
    return SSL_CTX_set1_groups_list(context, groups) == 1;
}

struct protocols {
    const unsigned char *bytes;
    size_t count;
};

static int select_protocol(
    SSL *connection, const unsigned char **chosen, unsigned char *chosen_count, const unsigned char *offered,
    unsigned int offered_count, void *argument) {
    (void)connection;
    const struct protocols *own = argument;
    int result = SSL_select_next_proto(
        (unsigned char **)chosen, chosen_count, own->bytes, (unsigned int)own->count, offered, offered_count);
    // A client that offers only unsupported protocols gets an alert, as RFC 7301 requires.
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void free_protocols(
    void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number, void *argument) {
    (void)parent, (void)data, (void)index, (void)number, (void)argument;
    OPENSSL_free(pointer);
}

static int protocols_index;
static pthread_once_t protocols_once = PTHREAD_ONCE_INIT;

static void make_protocols_index(void) {
    protocols_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_protocols);
}

void copenssl_set_protocols(SSL_CTX *context, const unsigned char *protocols, size_t count) {
    pthread_once(&protocols_once, make_protocols_index);
    struct protocols *own = OPENSSL_malloc(sizeof *own + count);
    if (own == NULL) return;
    unsigned char *copy = (unsigned char *)(own + 1);
    memcpy(copy, protocols, count);
    *own = (struct protocols){copy, count};
    SSL_CTX_set_ex_data(context, protocols_index, own);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, own);
}

void copenssl_prefer_server_ciphers(SSL_CTX *context, bool prefer) {
    if (prefer) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    else SSL_CTX_clear_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
}

static int accept_any(int is_valid, X509_STORE_CTX *store) {
    (void)is_valid;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

void copenssl_accept_any_certificate(SSL_CTX *context, int mode) { SSL_CTX_set_verify(context, mode, accept_any); }

int copenssl_add_client_authorities(SSL_CTX *context, BIO *pem) {
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    int added = 0;
    X509 *certificate;
    while ((certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        bool is_added = X509_STORE_add_cert(store, certificate) == 1 && SSL_CTX_add_client_CA(context, certificate) == 1;
        X509_free(certificate);
        if (!is_added) return -1;
        added++;
    }
    // The end of the text is not an error.
    ERR_clear_error();
    return added;
}

int copenssl_use_certificate_chain(SSL_CTX *context, BIO *pem) {
    X509 *certificate = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL);
    if (certificate == NULL) return 0;
    int result = SSL_CTX_use_certificate(context, certificate);
    X509_free(certificate);
    while (result == 1 && (certificate = PEM_read_bio_X509(pem, NULL, NULL, NULL)) != NULL) {
        // Takes ownership of the certificate on success.
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return 0;
        }
    }
    if (result == 1) ERR_clear_error();
    return result;
}

// MARK: Connections

bool copenssl_failed_by_plain_http(void) {
    unsigned long number = ERR_peek_error();
    return ERR_GET_LIB(number) == ERR_LIB_SSL && ERR_GET_REASON(number) == SSL_R_HTTP_REQUEST;
}

static void copy_text(ASN1_STRING *string, char *text, size_t capacity) {
    const unsigned char *bytes = ASN1_STRING_get0_data(string);
    size_t count = (size_t)ASN1_STRING_length(string);
    // A name with a zero byte would be truncated, and become another name.
    if (count >= capacity || memchr(bytes, 0, count) != NULL) return;
    memcpy(text, bytes, count);
    text[count] = 0;
}

bool copenssl_alternative_name(X509 *certificate, int index, char *text, size_t capacity) {
    text[0] = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool is_there = names != NULL && index < sk_GENERAL_NAME_num(names);
    if (is_there) {
        GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        int kind;
        ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);
        if (kind == GEN_DNS || kind == GEN_EMAIL || kind == GEN_URI) {
            copy_text(value, text, capacity);
        } else if (kind == GEN_IPADD) {
            int family = ASN1_STRING_length(value) == 4 ? AF_INET : AF_INET6;
            if (family == AF_INET || ASN1_STRING_length(value) == 16)
                inet_ntop(family, ASN1_STRING_get0_data(value), text, (socklen_t)capacity);
        }
    }
    GENERAL_NAMES_free(names);
    return is_there;
}

void copenssl_subject(X509 *certificate, char *text, size_t capacity) {
    text[0] = 0;
    BIO *writer = BIO_new(BIO_s_mem());
    if (writer == NULL) return;
    if (X509_NAME_print_ex(writer, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0) {
        int count = BIO_read(writer, text, (int)capacity - 1);
        text[count < 0 ? 0 : count] = 0;
    }
    BIO_free(writer);
}
