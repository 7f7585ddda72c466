-- fct_tumours: one row a tumour with everything that a population is defined by.
-- pathway: metastatic, neoadjuvant, surgery-first or none. Without a dated operation the recorded intent tells; where
-- no surgeries are linked at all so does a pathological T or N, which the extract holds only where surgery came first.
-- t and n are the categories the treatment decision was made on: pathological where surgery came first, else clinical.
-- A clinical category stands in for a pathological one that is missing, not for one that can't be read.
-- age_at_least, age_at_most: full years at diagnosis; they differ where the birth date is imprecise.
-- outside_early_her2: why the tumour is not known to be early, invasive and HER2-positive; null where it is.
-- episode_rank: invasive tumours first (carcinoma in situ is seldom tested, and drugs are given for what is invasive),
-- of them HER2-positive ones, then by stage (anatomic, IIIC to I; of stage I what exceeds 10 mm first, which the rules
-- treat otherwise), hormone receptors, date; is_index: the first of them, on which a drug rule judges.
create or replace table fct_tumours as
with undated as (
    select
        e.episode_key,
        bool_and(coalesce(d.intent = 'palliative', false)) as all_palliative
    from fct_undated_doses as d
    inner join fct_episodes as e
        on d.patient_key = e.patient_key and coalesce(d.tumour_id, e.tumour_id) = e.tumour_id
    group by e.episode_key
),

routed as (
    select
        t.*,
        extract(year from t.diagnosis_date) - extract(year from b.birth_earliest) - case
            when extract(month from t.diagnosis_date) < extract(month from b.birth_earliest) then 1
            when
                extract(month from t.diagnosis_date) = extract(month from b.birth_earliest)
                and extract(day from t.diagnosis_date) < extract(day from b.birth_earliest) then 1
            else 0
        end as age_at_most,
        extract(year from t.diagnosis_date) - extract(year from b.birth_latest) - case
            when extract(month from t.diagnosis_date) < extract(month from b.birth_latest) then 1
            when
                extract(month from t.diagnosis_date) = extract(month from b.birth_latest)
                and extract(day from t.diagnosis_date) < extract(day from b.birth_latest) then 1
            else 0
        end as age_at_least,
        e.episode_key,
        h.her2_status,
        h.her2_basis,
        h.her2_positive_date,
        h.her2_positive_specimen_date,
        h.ihc_ish_discordant,
        p.m_status,
        p.m_certainty,
        p.metastatic_date,
        p.recurrence_date,
        s.first_surgery_date,
        s.last_surgery_date,
        s.response,
        s.response_lacking,
        s.isolated_cells_only,
        d.first_systemic_date,
        d.first_curative_date,
        d.last_curative_date,
        coalesce(d.all_palliative, u.all_palliative, false) and coalesce(u.all_palliative, true) as all_palliative,
        case
            when p.m_status = 'm1' then 'metastatic'
            when d.first_curative_date < s.first_surgery_date then 'neoadjuvant'
            when s.first_surgery_date is not null then 'surgery-first'
            when d.any_neoadjuvant_intent then 'neoadjuvant'
            when d.any_adjuvant_intent then 'surgery-first'
            when
                not $surgeries_linked and (t.pathological_t is not null or t.pathological_n is not null)
                then 'surgery-first'
            when d.first_curative_date is not null then 'neoadjuvant'
            else 'none'
        end as pathway
    from stg_tumours as t
    inner join stg_patients as b on t.patient_key = b.patient_key
    inner join fct_episodes as e on t.patient_key = e.patient_key and t.tumour_id = e.tumour_id
    inner join fct_her2_status as h on t.patient_key = h.patient_key and t.tumour_id = h.tumour_id
    inner join fct_spread as p on t.patient_key = p.patient_key and t.tumour_id = p.tumour_id
    left join fct_surgeries as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
    left join fct_first_doses as d on e.episode_key = d.episode_key
    left join undated as u on e.episode_key = u.episode_key
),

decided as (
    select
        r.*,
        case
            when r.pathway <> 'surgery-first' then r.clinical_t
            when r.pathological_t_unreadable then null
            else coalesce(r.pathological_t, r.clinical_t)
        end as t,
        case
            when r.pathway <> 'surgery-first' then r.clinical_n
            when r.pathological_n_unreadable then null
            else coalesce(r.pathological_n, r.clinical_n)
        end as n,
        case
            when r.pathway <> 'surgery-first' then r.clinical_size_mm
            when r.pathological_t_unreadable then r.pathological_size_mm
            else coalesce(r.pathological_size_mm, r.clinical_size_mm)
        end as size_mm
    from routed as r
),

sized as (
    select
        d.*,
        case
            when d.t in ('1c', '2', '3', '4') then true
            when d.t in ('0', 'is', '1mi', '1a', '1b') then false
            else d.size_mm > $t1b_limit_mm
        end as over_10_mm,
        case
            when d.t in ('2', '3', '4') then true
            when d.t in ('0', 'is', '1mi', '1a', '1b', '1c', '1') then false
            else d.size_mm > $t1_limit_mm
        end as over_20_mm,
        case
            when d.t in ('3', '4') then true
            when d.t in ('0', 'is', '1mi', '1a', '1b', '1c', '1', '2') then false
            else d.size_mm > $t2_limit_mm
        end as over_50_mm,
        -- T2 begins above 20 mm, but is often written for a tumour of exactly that size.
        d.size_mm = $t1_limit_mm and coalesce(d.t in ('1', '1c', '2'), true) as exactly_20_mm,
        case
            when d.n in ('1mi', '1', '2', '3') then true
            when d.n in ('0', '0(i+)') then false
        end as node_positive,
        case
            when d.histology like '%/3' then true
            when d.histology like '%/0' or d.histology like '%/1' or d.histology like '%/2' then false
            when d.clinical_t = 'is' or d.pathological_t = 'is' then coalesce(d.n in ('1mi', '1', '2', '3'), false)
            else true
        end as invasive_by_stage
    from decided as d
),

in_situ_samples as (
    select
        patient_key,
        tumour_id,
        bool_and(not invasive) as only_in_situ
    from stg_receptor_tests
    group by
        patient_key,
        tumour_id
),

judged as (
    select
        s.* exclude (invasive_by_stage),
        s.invasive_by_stage
        and not (
            coalesce(i.only_in_situ, false)
            and s.histology is null
            and coalesce(s.clinical_t, '0') = '0'
            and coalesce(s.pathological_t, '0') = '0'
            and s.node_positive is distinct from true
        ) as invasive
    from sized as s
    left join in_situ_samples as i on s.patient_key = i.patient_key and s.tumour_id = i.tumour_id
)

select
    s.*,
    case
        when not s.invasive then 'in-situ'
        when s.m_status = 'm1' then 'metastatic'
        when s.her2_status = 'negative' then 'her2-negative'
        when s.her2_status <> 'positive' then 'her2-unknown'
        when s.m_status = 'unknown' then 'm-unknown'
    end as outside_early_her2,
    row_number() over advanced as episode_rank,
    row_number() over advanced = 1 as is_index
from judged as s
window
    advanced as (
        partition by s.episode_key
        order by
            case when s.invasive then 0 else 1 end,
            case s.her2_status when 'positive' then 0 when 'negative' then 2 else 1 end,
            case
                when s.n = '3' then 0
                when s.inflammatory or s.t = '4' then 1
                when s.n = '2' or (s.over_50_mm and s.node_positive) then 2
                when s.over_50_mm or (s.over_20_mm and s.node_positive) then 3
                when s.over_20_mm or s.n = '1' then 4
                when s.n = '1mi' then 5
                when s.over_10_mm then 6
                else 7
            end,
            case when s.er_status = 'negative' and s.pr_status = 'negative' then 0 else 1 end,
            s.diagnosis_date nulls last,
            s.tumour_id
    );
