/** Each returns what is wrong with a name, in Kubernetes' words; undefined when nothing is. */
export type NameRule = (name: string) => string | undefined;

/** RFC 1123 subdomain: most objects' names. */
export const dnsSubdomain: NameRule = (name) => {
  if (name.length > 253) return "must be no more than 253 characters";
  if (SUBDOMAIN.test(name)) return undefined;
  return (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character " +
    "(e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
  );
};

/** RFC 1123 label: namespaces, containers, volumes. */
export const dnsLabel: NameRule = (name) => {
  if (name.length > 63) return "must be no more than 63 characters";
  if (LABEL.test(name)) return undefined;
  return (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character " +
    "(e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
  );
};

/** RFC 1035 label: services. */
export const dns1035Label: NameRule = (name) => {
  if (name.length > 63) return "must be no more than 63 characters";
  if (LABEL_1035.test(name)) return undefined;
  return (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character " +
    "(e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
  );
};

/** What can stand in a URL's path: names of roles and bindings. */
export const pathSegment: NameRule = (name) => {
  if (name === "." || name === "..") return `may not be '${name}'`;
  if (name.includes("/")) return "may not contain '/'";
  if (name.includes("%")) return "may not contain '%'";
  return undefined;
};

/** IANA service name: named container ports, as services and probes refer to them. */
export const portName: NameRule = (name) => {
  if (name.length > 15) return "must be no more than 15 characters";
  if (!/^[-a-z0-9]+$/.test(name)) return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
  if (!/[a-z]/.test(name)) return "must contain at least one letter (a-z)";
  if (name.includes("--")) return "must not contain consecutive hyphens";
  if (name.startsWith("-") || name.endsWith("-")) return "must not begin or end with a hyphen";
  return undefined;
};

/** Keys of labels and annotations: a name with an optional DNS prefix. */
export const qualifiedName: NameRule = (text) => {
  const slash = text.indexOf("/");
  const name = text.slice(slash + 1);
  if (slash === 0) return "prefix part must be non-empty";
  if (slash > 0) {
    const wrong = dnsSubdomain(text.slice(0, slash));
    if (wrong !== undefined) return `prefix part ${wrong}`;
  }
  if (name === "") return `name part must be non-empty; name part ${NAME_PART}`;
  if (name.length > 63) return "name part must be no more than 63 characters";
  return QUALIFIED.test(name) ? undefined : `name part ${NAME_PART}`;
};

export const labelValue: NameRule = (value) => {
  if (value.length > 63) return "must be no more than 63 characters";
  if (value === "" || QUALIFIED.test(value)) return undefined;
  return (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
    "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
  );
};

/** Keys of ConfigMaps and Secrets, which become file names. */
export const configKey: NameRule = (key) => {
  if (key.length > 253) return "must be no more than 253 characters";
  if (!/^[-._a-zA-Z0-9]+$/.test(key)) {
    return (
      "a valid config key must consist of alphanumeric characters, '-', '_' or '.' " +
      "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
    );
  }
  if (key === ".") return "must not be '.'";
  if (key === "..") return "must not be '..'";
  return key.startsWith("..") ? "must not start with '..'" : undefined;
};

/** What may stand left of "=" in an environment. */
export const envVarName: NameRule = (name) => {
  if (/^[ -<>-~]+$/.test(name)) return undefined;
  return "a valid environment variable name must consist only of printable ASCII characters other than '='";
};

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const NAME_PART =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
