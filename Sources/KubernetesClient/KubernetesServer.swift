public import CurlHTTP
internal import Glibc
internal import Runtime

/// The address and credentials of an API server. A value.
public struct KubernetesServer: Equatable, Sendable {
    /// The URL of the API server, without a trailing slash.
    public var url: String
    /// The file with the bearer token; `nil` to send none. Read for every request, because tokens rotate.
    public var tokenFile: String?
    /// The file with the trusted certificates; `nil` for those of ``tls``.
    public var authorityFile: String?
    /// The bearer token; `nil` to send none.
    public var token: String?
    /// A user with a password; `nil` to send none.
    public var basic: Basic?
    /// Certificates and versions.
    public var tls = TLSOptions()
    /// The URL of a proxy; `nil` for none.
    public var proxy: String?

    /// A user with a password.
    public struct Basic: Equatable, Sendable {
        /// The name.
        public var user: String
        /// The password.
        public var password: String
    }

    /// An API server at `url`.
    public init(url: String, tokenFile: String? = nil, authorityFile: String? = nil) {
        self.url = url
        self.tokenFile = tokenFile
        self.authorityFile = authorityFile
    }

    static let account = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The API server of the cluster in which this process runs, with the service account of its pod; `nil` outside a
    /// cluster.
    public static var ofThisCluster: KubernetesServer? {
        guard let host = unsafe getenv("KUBERNETES_SERVICE_HOST"), let port = unsafe getenv("KUBERNETES_SERVICE_PORT")
        else { return nil }
        let name = unsafe String(cString: host)
        return unsafe KubernetesServer(
            url: "https://\(name.contains(":") ? "[\(name)]" : name):\(String(cString: port))",
            tokenFile: "\(account)/token", authorityFile: "\(account)/ca.crt")
    }

    /// The namespace of the pod that this process runs in; `nil` outside of a cluster.
    public static var ownNamespace: String? {
        FileText.read("\(account)/namespace").map { String($0.split(whereSeparator: \.isWhitespace).first ?? "") }
    }
}
