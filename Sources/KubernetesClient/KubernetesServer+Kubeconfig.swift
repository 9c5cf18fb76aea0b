internal import CurlHTTP
internal import Runtime
internal import TLS
internal import YAML

extension KubernetesServer {
    /// Reads the server and the user of the current context of a kubeconfig file. Paths in it are relative to its
    /// directory.
    public init(kubeconfig path: String) throws(KubernetesError) {
        let root: YAMLNode
        do {
            let bytes = try FileText.bytes(path, limit: 4 << 20)
            root = try YAML.parse(bytes, file: path).first ?? YAMLNode(content: .mapping([]), line: 1, column: 1)
        } catch {
            throw KubernetesError("\(path): \(error)")
        }
        let file = Kubeconfig(root: root, path: path)
        let context = try file.entry("contexts", root["current-context"]?.text ?? "", "context")
        let cluster = try file.entry("clusters", context["cluster"]?.text ?? "", "cluster")
        guard var url = cluster["server"]?.text, !url.isEmpty else {
            throw KubernetesError("\(path): the cluster has no server")
        }
        while url.hasSuffix("/") { url.removeLast() }
        self.init(url: url)
        tls.authorities = try file.source(cluster, "certificate-authority")
        tls.insecureSkipVerify = cluster["insecure-skip-tls-verify"]?.text == "true"
        tls.serverName = cluster["tls-server-name"]?.text
        proxy = cluster["proxy-url"]?.text
        guard let user = context["user"]?.text else { return }
        try readUser(try file.entry("users", user, "user"), file)
    }

    private mutating func readUser(_ user: YAMLNode, _ file: Kubeconfig) throws(KubernetesError) {
        for name in ["exec", "auth-provider"] where user[name] != nil {
            throw KubernetesError("\(file.path): the user has \(name), which Tribune does not run")
        }
        tls.certificate = try file.source(user, "client-certificate")
        tls.key = try file.source(user, "client-key")
        tokenFile = user["tokenFile"]?.text.map { Paths.resolve($0, from: file.directory) }
        // As in kubectl, the file takes precedence.
        if tokenFile == nil { token = user["token"]?.text }
        if let name = user["username"]?.text, !name.isEmpty {
            basic = Basic(user: name, password: user["password"]?.text ?? "")
        }
    }
}

/// A kubeconfig file. A value.
private struct Kubeconfig {
    let root: YAMLNode
    let path: String

    var directory: String { Paths.directory(of: path) }

    /// The mapping `kind` of the entry named `name` in `list`.
    func entry(_ list: String, _ name: String, _ kind: String) throws(KubernetesError) -> YAMLNode {
        let entry = root[list]?.elements?.first { $0["name"]?.text == name }
        guard let entry, let content = entry[kind] else {
            throw KubernetesError("\(path): \(list) has no entry named \"\(name)\"")
        }
        return content
    }

    /// The certificate or key `name`, a file, or base64 in `name-data`.
    func source(_ node: YAMLNode, _ name: String) throws(KubernetesError) -> TLSOptions.Source? {
        if let data = node["\(name)-data"]?.text, !data.isEmpty {
            guard let bytes = Base64.bytes(data) else {
                throw KubernetesError("\(path): \(name)-data is not in base64")
            }
            return .text(String(decoding: bytes, as: UTF8.self))
        }
        return node[name]?.text.map { .file(Paths.resolve($0, from: directory)) }
    }
}
