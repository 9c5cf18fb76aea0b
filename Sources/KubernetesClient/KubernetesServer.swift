internal import Glibc

/// How to reach an API server. A value.
public struct KubernetesServer: Equatable, Sendable {
    /// The URL of the API server, without a slash at the end.
    public var url: String
    /// The file that holds the bearer token; `nil` to send none. It is read for every request, because tokens rotate.
    public var tokenFile: String?
    /// The file that holds the trusted certificates; `nil` for those of the system.
    public var authorityFile: String?

    /// An API server at `url`.
    public init(url: String, tokenFile: String? = nil, authorityFile: String? = nil) {
        self.url = url
        self.tokenFile = tokenFile
        self.authorityFile = authorityFile
    }

    private static let account = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The API server of the cluster that this process runs in, with the account of its pod; `nil` outside of a
    /// cluster.
    public static var ofThisCluster: KubernetesServer? {
        guard let host = unsafe getenv("KUBERNETES_SERVICE_HOST"), let port = unsafe getenv("KUBERNETES_SERVICE_PORT")
        else { return nil }
        let name = unsafe String(cString: host)
        return unsafe KubernetesServer(
            url: "https://\(name.contains(":") ? "[\(name)]" : name):\(String(cString: port))",
            tokenFile: "\(account)/token", authorityFile: "\(account)/ca.crt")
    }
}
