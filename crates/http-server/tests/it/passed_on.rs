//! Stores that do one thing differently pass everything else on.

/// Methods of a [`storage_api::Store`] that the field `store` carries out.
macro_rules! passed_on {
    ($($method:ident)*) => { $(passed_on!(@$method);)* };
    (@read) => {
        fn read<'a>(&'a self, key: &'a storage_api::Key) -> storage_api::Answer<'a, storage_api::Record> {
            self.store.read(key)
        }
    };
    (@read_version) => {
        fn read_version<'a>(
            &'a self,
            key: &'a storage_api::Key,
            version: storage_api::VersionSelector,
        ) -> storage_api::Answer<'a, Option<storage_api::StoredVersion>> {
            self.store.read_version(key, version)
        }
    };
    (@history) => {
        fn history<'a>(
            &'a self,
            request: &'a storage_api::HistoryRequest,
        ) -> storage_api::Answer<'a, storage_api::HistoryPage> {
            self.store.history(request)
        }
    };
    (@search) => {
        fn search<'a>(
            &'a self,
            request: &'a storage_api::SearchRequest,
        ) -> storage_api::Answer<'a, storage_api::SearchPage> {
            self.store.search(request)
        }
    };
    (@snapshot) => {
        fn snapshot(&self) -> storage_api::Answer<'_, std::sync::Arc<dyn storage_api::Store>> {
            self.store.snapshot()
        }
    };
    (@commit) => {
        fn commit(
            &self,
            set: storage_api::WriteSet,
        ) -> storage_api::Answer<'static, storage_api::Commit> {
            self.store.commit(set)
        }
    };
    (@index_generation) => {
        fn index_generation(&self) -> storage_api::IndexGeneration {
            self.store.index_generation()
        }
    };
    (@index) => {
        fn index(&self) -> storage_api::Answer<'_, storage_api::Index> {
            self.store.index()
        }
    };
    (@close) => {
        fn close(&self) -> storage_api::Answer<'static, ()> {
            self.store.close()
        }
    };
}
