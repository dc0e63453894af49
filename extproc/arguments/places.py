"""Where secrets, devices and the machine itself lie: the places that no tool needs and every attack names.

Data only. All names are in lower case, with `/` between segments and without drive letters.
"""


def words(text: str) -> frozenset[str]:
    """The words of a list that is easier to read as text."""
    return frozenset(text.split())


# Below the root of a POSIX file system (and of macOS, whose /etc and /var stand below /private).
POSIX_PLACES = words(
    """
    etc root proc sys dev boot run var/run var/lib/kubelet var/lib/docker var/lib/containerd var/lib/cloud
    var/lib/rancher var/lib/etcd var/lib/waagent var/spool/cron var/spool/at var/root var/db var/backups
    var/log/auth.log var/log/secure var/log/cloud-init.log var/log/cloud-init-output.log library/keychains
    system/library host/etc host/root host/proc hostfs rootfs lib/modules opt/aws/credentials secrets
    vault/secrets kaniko/.docker .dockerenv .dockerinit
    """
)
# Below the root of a Windows drive.
WINDOWS_PLACES = words(
    """
    windows winnt boot recovery inetpub $recycle.bin perflogs boot.ini bootmgr pagefile.sys hiberfil.sys
    unattend.xml autounattend.xml sysprep programdata/ssh programdata/docker programdata/microsoft config.msi
    """
) | {"system volume information", "documents and settings"}
# First segments that name no file at all: the registry, the kernel's own name space.
WINDOWS_OTHERS = words(
    """
    ?? device global?? globalroot dosdevices hklm hkcu hkcr hku hkcc hkey_local_machine hkey_current_user
    hkey_classes_root hkey_users hkey_current_config registry
    """
)
# Harmless members of refused places.
ORDINARY = frozenset({"dev/null", "dev/shm"})

# A segment with such a name, wherever it stands.
SECRET_NAMES = words(
    """
    .ssh .gnupg .kube .azure .netrc _netrc .pgpass .my.cnf .pypirc .git-credentials .vault-token .htpasswd
    .s3cfg .boto .dockercfg .bash_history .zsh_history .python_history .psql_history .mysql_history
    .rediscli_history .node_repl_history id_rsa id_dsa id_ecdsa id_ed25519 identity.pem authorized_keys
    docker.sock containerd.sock crio.sock ntuser.dat ntds.dit .password-store .terraformrc credentials.tfrc.json
    application_default_credentials.json master.key .rhosts .shosts wallet.dat login.keychain login.keychain-db
    sam.bak system32 .env
    """
)
# A segment followed by one of these, or by nothing.
SECRET_PAIRS = {
    ".aws": frozenset({"", "credentials", "config", "sso", "cli"}),
    "library": frozenset({"keychains", "cookies"}),
    ".docker": frozenset({"", "config.json"}),
    ".config": frozenset({"gcloud", "gh", "op", "rclone", "doctl", "hub"}),
    ".git": frozenset(
        {"", "hooks", "config", "config.worktree", "worktrees", "modules", "commondir", "gitdir", "info", "objects"}
    ),
    "microsoft": frozenset({"credentials", "protect", "crypto", "vault", "systemcertificates"}),
    "serviceaccount": frozenset({"token", "ca.crt", "namespace"}),
}
# `.env` and its variants hold secrets; these are the ones that are made to be shared.
ENV_SAMPLES = frozenset({"example", "sample", "template", "dist", "defaults", "schema", "d", "ts", "js", "md"})

# Windows takes these for devices in every directory, with any extension.
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789\xb9\xb2\xb3"]
)
# Environment variables that every shell has, whatever their case (Windows and PowerShell ignore it).
VARIABLES = words(
    """
    home pwd oldpwd user username userprofile appdata localappdata programdata programfiles programfiles(x86)
    commonprogramfiles systemroot windir systemdrive homedrive homepath temp tmp tmpdir path public
    allusersprofile comspec cd date pshome profile psscriptroot logname shell hostname computername kubeconfig
    onedrive
    """
)
# Schemes of object stores: a path to a tool that reads them, and no way to the machine's own files.
STORES = words(
    """
    s3 s3a s3n gs gcs az abfs abfss wasb wasbs adl hdfs dbfs oss cos r2 b2 minio azure
    """
)
# Schemes that need no `//` to be one.
SCHEMES = words(
    """
    file url jar zip phar php data expect glob netdoc view-source http https ftp ftps sftp smb nfs gopher dict
    ldap javascript vbscript blob about resource chrome classpath vscode-file compress.zlib compress.bzip2 ogg
    rar ssh2 tftp
    """
)
