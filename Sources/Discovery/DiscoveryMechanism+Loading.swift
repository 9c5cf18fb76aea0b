internal import ConfigurationFields
public import YAML

extension DiscoveryMechanism {
    /// Mechanisms that Prometheus has and Tribune does not.
    private static let others = [
        "aws", "azure", "digitalocean", "eureka", "gce", "hetzner", "ionos", "kuma", "lightsail", "linode", "marathon",
        "nerve", "nomad", "openstack", "ovhcloud", "puppetdb", "scaleway", "serverset", "stackit", "triton", "uyuni",
        "vultr", "ecs", "msk", "elasticache", "rds", "huawei", "outscale", "oci",
    ]

    /// Reads every `…_sd_configs` section of `fields`; an unsupported mechanism is an error that names it.
    ///
    /// - Parameter directory: the directory of relative paths.
    public static func list(_ fields: inout FieldReader, directory: String) throws(YAMLError) -> [DiscoveryMechanism] {
        for name in others {
            try fields.refuse(name + "_sd_configs", "Tribune does not have this discovery mechanism")
        }
        var mechanisms: [DiscoveryMechanism] = []
        try read("file", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.file(try FileDiscovery(&entry, directory: directory)))
        }
        try read("http", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.http(try HTTPDiscovery(&entry, directory: directory)))
        }
        try read("dns", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.dns(try DNSDiscovery(&entry)))
        }
        try read("consul", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.consul(try ConsulDiscovery(&entry, directory: directory)))
        }
        try read("docker", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.docker(try DockerDiscovery(&entry, directory: directory)))
        }
        try read("dockerswarm", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.dockerswarm(try SwarmDiscovery(&entry, directory: directory)))
        }
        try read("ec2", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.ec2(try EC2Discovery(&entry, directory: directory)))
        }
        try read("kubernetes", &fields) { (entry) throws(YAMLError) in
            mechanisms.append(.kubernetes(try KubernetesDiscovery(&entry, directory: directory)))
        }
        return mechanisms
    }

    private static func read(
        _ name: String, _ fields: inout FieldReader, _ body: (inout FieldReader) throws(YAMLError) -> Void
    ) throws(YAMLError) {
        let section = name + "_sd_configs"
        for (index, node) in try fields.list(section).enumerated() {
            let place = "\(section)[\(index)]"
            if node.isNull {
                fields.note("empty or null section in \(section)", at: node, field: place)
                continue
            }
            let path = fields.path(of: place)
            _ = fields.collect { (fields) throws(YAMLError) in
                var entry = try FieldReader(node, path: path, file: fields.file)
                try body(&entry)
                try entry.finish()
            }
        }
    }
}
