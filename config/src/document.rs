//! The file as a whole: every table in turn, then the checks that span tables.

use toml::de::DeTable;

use crate::{
    admin, cache, geo, keys, limits, listen,
    model::Config,
    node, origins,
    raw::{Reader, Table},
    routes, tailoring, tls,
    validate::{self, Marks},
};

/// Reads and checks everything. The result holds only if the reader has found no mistake.
pub(crate) fn read<'a>(reader: &'a Reader<'a>, document: &'a DeTable<'a>) -> Config {
    let root = Table::root(reader, document, &keys::ROOT);
    let mut marks = Marks { listens: reader.has_mistakes(), ..Marks::default() };
    let regions = node::regions(&root, &mut marks);
    let node = node::node(&root, &regions, reader.outside.folder, &mut marks);
    let mut config = Config {
        cluster: node::cluster(&root),
        listen: listen::listen(&root, &mut marks),
        cache: cache::cache(&root, &mut marks),
        tls: tls::tls(&root, &node.state),
        dns: geo::dns(&root, &mut marks),
        admin: admin::admin(&root, &mut marks),
        geo: tailoring::geo(&root),
        dictionaries: tailoring::dictionaries(&root),
        origins: origins::origins(&root, &mut marks),
        sites: routes::sites(&root, &mut marks),
        limits: limits::limits(&root),
        regions,
        node,
    };
    validate::validate(reader, &config, &marks);
    let sites =
        config.sites.iter().zip(&marks.sites).map(|(site, marks)| (&site.tailoring, &marks.tailoring));
    let sites: Vec<_> = sites.collect();
    tailoring::validate(reader, config.geo.is_some(), &mut config.dictionaries, &sites);
    config
}
